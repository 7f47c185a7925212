// One way in which a payload is not what the protocol says, and the text in it. Lengths are counted in code points.

export const SHOWN = 200; // characters of a value that a message repeats, or of a name in a path
export const DEEPEST = 64; // levels of a payload below which a message repeats nothing

/** Return a violation: where, as a JSON path and a JSON pointer, and what was expected and what came, in phrases. */
export function violation({ path, pointer }, expected, got) {
  return { path, pointer, expected, got, message: `${path}: expected ${expected}, got ${got}` };
}

/** Return a key as a part of a JSON pointer. */
export function pointerTo(key) {
  return `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** Return a value that stands so many levels deep in its payload as JSON, cut short. */
export function show(value, level) {
  let text = "";
  let room = SHOWN + 1;
  const write = (part) => {
    text += part;
    room -= lengthOf(part);
  };
  const group = (open, parts, each, close, depth) => {
    write(open);
    for (let i = 0; depth <= DEEPEST && i < parts.length && room > 0; i++) {
      if (i > 0) write(", ");
      each(parts[i]);
    }
    write(close);
  };
  const visit = (node, depth) => {
    if (typeof node === "string") {
      write(JSON.stringify(beginning(node, SHOWN)));
    } else if (node === null || typeof node !== "object") {
      write(JSON.stringify(node));
    } else if (Array.isArray(node)) {
      group("[", node, (item) => visit(item, depth + 1), "]", depth);
    } else {
      const property = (key) => {
        visit(key, depth);
        write(": ");
        visit(node[key], depth + 1);
      };
      group("{", Object.keys(node), property, "}", depth);
    }
  };
  visit(value, level);
  return lengthOf(text) <= SHOWN ? text : `${beginning(text, SHOWN)}…`;
}

/** Return the first characters of a text. */
export function beginning(text, count) {
  return text.length <= count ? text : [...text.slice(0, 2 * count)].slice(0, count).join("");
}

/** Return how many characters a text has. */
export function lengthOf(text) {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Compare texts by their code points, as Python does. */
export function byCodePoints(a, b) {
  const rest = b[Symbol.iterator]();
  for (const letter of a) {
    const { value: other, done } = rest.next();
    if (done) return 1;
    if (letter !== other) return letter.codePointAt(0) - other.codePointAt(0);
  }
  return rest.next().done ? 0 : -1;
}

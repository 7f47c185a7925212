// Which name may have been meant by another one: as Python's difflib judges, so that both packages say the same.

const ENOUGH = 0.6; // of the similarity that a text has with itself

/** Return the name that resembles a word most, in any letters; undefined if none resembles it. */
export function closest(word, names) {
  const wanted = letters(word);
  let [best, found] = [0, undefined];
  for (const [folded, name] of new Map(names.map((name) => [letters(name), name]))) {
    const likeness = similarity(folded, wanted);
    if (likeness >= ENOUGH && (likeness > best || (likeness === best && folded > letters(found)))) {
      [best, found] = [likeness, name];
    }
  }
  return found;
}

function letters(name) {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

/** Return twice the number of letters in common blocks, divided by that of all. */
function similarity(a, b) {
  const [first, second] = [[...a], [...b]];
  const all = first.length + second.length;
  return all === 0 ? 1 : (2 * inCommon(first, second)) / all;
}

function inCommon(a, b) {
  const { from, at, size } = longestBlock(a, b);
  if (size === 0) return 0;
  const before = inCommon(a.slice(0, from), b.slice(0, at));
  return before + size + inCommon(a.slice(from + size), b.slice(at + size));
}

/** Return the longest block that two lists have in common; of several the first in `a`, then the first in `b`. */
function longestBlock(a, b) {
  let best = { from: 0, at: 0, size: 0 };
  let above = [];
  for (let i = 0; i < a.length; i++) {
    const row = [];
    for (let j = 0; j < b.length; j++) {
      if (a[i] !== b[j]) continue;
      row[j] = (above[j - 1] ?? 0) + 1;
      if (row[j] > best.size) best = { from: i - row[j] + 1, at: j - row[j] + 1, size: row[j] };
    }
    above = row;
  }
  return best;
}

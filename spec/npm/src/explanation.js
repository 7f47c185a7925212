// Explains why a payload was refused: walks its schema as Python's jsonschema does, and says the sentences of
// dungeonlab_spec.validation. Ends when enough is said, however large the payload is.

import { areUnlike, isObject } from "./json.js";
import { definitions, formats } from "./payloads.json";
import { closest } from "./spelling.js";
import { byCodePoints, lengthOf, pointerTo, show, violation } from "./violation.js";

const MOST = 50; // violations of one payload; the rest would say the same again
const LONGEST_NAME = 200; // characters of a name that may be another one's misspelling
const WIDEST = 2000; // of such names

/** Return the violations of a payload under a definition, in order of their paths. */
export function explain(name, payload) {
  const found = [];
  for (const each of violationsOf(definitions[name], { value: payload, path: "$", pointer: "", level: 0 })) {
    if (found.push(each) === MOST) break;
  }
  return found.sort((a, b) => byCodePoints(a.path, b.path));
}

/** Yield the violations of a schema at a place of the payload: its value, how it is reached, and how deep it is. */
function* violationsOf(schema, place) {
  for (const [keyword, wanted] of Object.entries(schema)) {
    if (Object.hasOwn(KEYWORDS, keyword)) yield* KEYWORDS[keyword](wanted, place, schema);
  }
}

/** What each keyword finds. The first four lead to further schemas; what is not here forbids nothing. */
const KEYWORDS = {
  *$ref(reference, place) {
    yield* violationsOf(definitions[reference.slice(reference.lastIndexOf("/") + 1)], place);
  },
  *properties(schemas, place) {
    if (!isObject(place.value)) return;
    for (const [key, schema] of Object.entries(schemas)) {
      if (Object.hasOwn(place.value, key)) yield* violationsOf(schema, inside(place, key));
    }
  },
  *items(schema, place) {
    if (!Array.isArray(place.value)) return;
    for (let i = 0; i < place.value.length; i++) yield* violationsOf(schema, inside(place, i));
  },
  *if(condition, place, schema) {
    yield* violationsOf((isValid(condition, place) ? schema.then : schema.else) ?? {}, place);
  },
  *type(wanted, place) {
    const is = wanted === "integer" ? Number.isInteger(place.value) : kindOf(place.value) === wanted;
    if (!is) yield broken(place, `type ${wanted}`, `${kindOf(place.value)} ${shown(place)}`);
  },
  *required(names, place, schema) {
    if (!isObject(place.value)) return;
    for (const name of names.filter((name) => !Object.hasOwn(place.value, name))) {
      yield violation(inside(place, name), "a value", missing(name, place, schema));
    }
  },
  *additionalProperties(_, place, schema) {
    if (!isObject(place.value)) return;
    const extra = unknownTo(schema, place.value);
    if (extra.length > 0) yield broken(inside(place, extra.reduce(lesser)), "no such property");
  },
  *anyOf(schemas, place) {
    if (schemas.some((schema) => isValid(schema, place))) return;
    yield broken(place, `at least one of ${schemas.map(({ required }) => required[0]).join(", ")}`);
  },
  *enum(wanted, place) {
    if (!wanted.includes(place.value)) yield broken(place, `one of ${wanted.join(", ")}`);
  },
  *const(wanted, place) {
    if (place.value !== wanted) yield broken(place, show(wanted, 0));
  },
  *minimum(least, place) {
    if (typeof place.value === "number" && place.value < least) yield broken(place, `at least ${least}`);
  },
  *minLength(least, place) {
    const length = typeof place.value === "string" ? lengthOf(place.value) : least;
    if (length < least) yield broken(place, `at least ${least} characters`, `${length}: ${shown(place)}`);
  },
  *maxLength(most, place) {
    const length = typeof place.value === "string" ? lengthOf(place.value) : most;
    if (length > most) yield broken(place, `at most ${most} characters`, `${length}: ${shown(place)}`);
  },
  *minItems(least, place) {
    const length = Array.isArray(place.value) ? place.value.length : least;
    if (length < least) yield broken(place, `at least ${least} items`, `${length}: ${shown(place)}`);
  },
  *maxItems(most, place) {
    const length = Array.isArray(place.value) ? place.value.length : most;
    if (length > most) yield broken(place, `at most ${most} items`, `${length}: ${shown(place)}`);
  },
  *uniqueItems(_, place) {
    if (Array.isArray(place.value) && !areUnlike(place.value)) yield broken(place, "no two items alike");
  },
  *pattern(wanted, place) {
    const fits = typeof place.value !== "string" || matches(wanted, place.value);
    if (!fits) yield broken(place, `text that matches ${wanted}`);
  },
  *format(wanted, place) {
    const fits = typeof place.value !== "string" || matches(formats[wanted], place.value);
    if (!fits) yield broken(place, `a ${wanted}`);
  },
};

function isValid(schema, place) {
  return violationsOf(schema, place).next().done;
}

function inside({ value, path, pointer, level }, key) {
  const step = Array.isArray(value) ? `[${key}]` : `.${key}`;
  return { value: value[key], path: path + step, pointer: pointer + pointerTo(key), level: level + 1 };
}

function broken(place, expected, got = shown(place)) {
  return violation(place, expected, got);
}

function shown(place) {
  return show(place.value, place.level);
}

function matches(pattern, text) {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true; // engines give up on texts of many megabytes; that such a one is too long is said by another keyword
  }
}

function kindOf(value) {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function lesser(name, other) {
  return byCodePoints(name, other) <= 0 ? name : other;
}

function unknownTo(schema, value) {
  return Object.keys(value).filter((key) => !Object.hasOwn(schema.properties ?? {}, key));
}

/** Say that a property is not there, and which unknown one may be meant. */
function missing(name, place, schema) {
  const unknown = unknownTo(schema, place.value).filter((key) => lengthOf(key) <= LONGEST_NAME);
  const near = closest(name, unknown.slice(0, WIDEST));
  return near === undefined ? "missing" : `missing; there is \`${near}\``;
}

// JSON (RFC 8259) without loss: `JSON.parse` rounds large numbers and moves keys such as "1" to the front, so that what is
// written afterwards is not what was read. Objects are Maps, numbers keep their text.

import { invalidText, place, tooLarge } from './problem.js';

/** The deepest nesting of arrays and objects. */
const DEEPEST = 500;

/** A number, as it stands in the document. */
export class Numeral {
  constructor(text) {
    this.text = text;
    this.value = Number(text);
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** Whether all of a text is one JSON number. */
export function isNumber(text) {
  NUMBER.lastIndex = 0;
  return NUMBER.test(text) && NUMBER.lastIndex === text.length;
}

/** The value of a JSON text: null, boolean, Numeral, string, Array or Map. Of a repeated key the last value counts. */
export function parse(text) {
  let at = 0;

  const fail = (message) => {
    throw invalidText(`${place(text, at)}: ${message}`);
  };
  const found = () => (at < text.length ? `found ${JSON.stringify(String.fromCodePoint(text.codePointAt(at)))}` : 'the text ends');
  const space = () => {
    while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  };

  function string() {
    at += 1;
    let value = '';
    for (;;) {
      PLAIN.lastIndex = at;
      value += PLAIN.exec(text)[0];
      at = PLAIN.lastIndex;
      if (text[at] === '"') break;
      if (text[at] !== '\\') fail(at < text.length ? 'a control character in a string' : 'the text ends within a string');
      const escape = text[at + 1];
      if (escape === 'u') {
        const digits = text.slice(at + 2, at + 6);
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) fail('expected four hexadecimal digits after \\u');
        value += String.fromCharCode(parseInt(digits, 16));
        at += 6;
      } else {
        if (!Object.hasOwn(ESCAPES, escape ?? '')) fail('an unknown escape in a string');
        value += ESCAPES[escape];
        at += 2;
      }
    }
    at += 1;
    // Half of a surrogate pair cannot leave this component: strings of components are Unicode.
    return value.isWellFormed() ? value : value.toWellFormed();
  }

  function members(close, member) {
    at += 1;
    space();
    if (text[at] === close) {
      at += 1;
      return;
    }
    for (;;) {
      member();
      space();
      if (text[at] === close) break;
      if (text[at] !== ',') fail(`expected "," or "${close}", ${found()}`);
      at += 1;
      space();
    }
    at += 1;
  }

  function value(depth) {
    if (depth > DEEPEST) throw tooLarge(`${place(text, at)}: nested more than ${DEEPEST} deep`);
    space();
    switch (text[at]) {
      case '{': {
        const object = new Map();
        members('}', () => {
          if (text[at] !== '"') fail(`expected a key in double quotes, ${found()}`);
          const key = string();
          space();
          if (text[at] !== ':') fail(`expected ":", ${found()}`);
          at += 1;
          object.set(key, value(depth + 1));
        });
        return object;
      }
      case '[': {
        const array = [];
        members(']', () => array.push(value(depth + 1)));
        return array;
      }
      case '"':
        return string();
      default:
    }
    for (const [word, meaning] of [['null', null], ['true', true], ['false', false]]) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    NUMBER.lastIndex = at;
    const number = NUMBER.exec(text);
    if (!number) fail(`expected a JSON value, ${found()}`);
    at = NUMBER.lastIndex;
    return new Numeral(number[0]);
  }

  if (text.startsWith('\ufeff')) at = 1;
  const whole = value(0);
  space();
  if (at < text.length) fail(`expected the end of the document, ${found()}`);
  return whole;
}

/** A value as compact JSON text. */
export function print(value) {
  if (value instanceof Numeral) return value.text;
  if (Array.isArray(value)) return `[${value.map(print).join(',')}]`;
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${JSON.stringify(key)}:${print(item)}`).join(',')}}`;
  return JSON.stringify(value);
}

/** Whether two values are the same, objects regardless of the order of their keys. */
export function same(left, right) {
  if (left instanceof Numeral && right instanceof Numeral) return left.value === right.value;
  if (Array.isArray(left) && Array.isArray(right)) return left.length === right.length && left.every((item, i) => same(item, right[i]));
  if (left instanceof Map && right instanceof Map) {
    return left.size === right.size && [...left].every(([key, item]) => right.has(key) && same(item, right.get(key)));
  }
  return left === right;
}

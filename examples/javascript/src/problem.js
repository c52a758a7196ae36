// The errors of wit/*/world.wit. componentize-js returns a thrown `{ tag, val }` as the error of the function's `result`;
// anything else that is thrown is a defect and ends the call.

/** The longest text, in UTF-16 code units. */
const LONGEST = 4_000_000;

/** The document is not well-formed. */
export const invalidText = (message) => ({ tag: 'invalid-text', val: message });

/** An argument makes no sense. */
export const invalidArgument = (message) => ({ tag: 'invalid-argument', val: message });

/** A document is larger or deeper than is handled. */
export const tooLarge = (message) => ({ tag: 'too-large', val: message });

/** Refuses a text that is longer than every function handles. */
export function checkSize(name, text) {
  if (text.length > LONGEST) throw tooLarge(`${name} is longer than ${LONGEST} characters`);
}

/** The number given for an option, within its bounds; `standard` where none was given. */
export function bounded(name, given, standard, least, most) {
  if (given === undefined || given === null) return standard;
  if (given < least || given > most) throw invalidArgument(`${name} must be ${least} to ${most}`);
  return given;
}

/** "line 3, column 7" of an offset into a text. */
export function place(text, offset) {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return `line ${line}, column ${offset - before.lastIndexOf('\n')}`;
}

/** The request did not get to the server. */
export const notReached = (message) => ({ tag: 'not-reached', val: message });

/** The server answered too slowly, or broke off. */
export const timedOut = (message) => ({ tag: 'timed-out', val: message });

/** The server named another address: { source, target, status }. */
export const redirected = (redirect) => ({ tag: 'redirected', val: redirect });

/** The server has nothing there. */
export const notFound = (message) => ({ tag: 'not-found', val: message });

/** The server answered with an error: { status, message }. */
export const refused = (refusal) => ({ tag: 'refused', val: refusal });

/** The answer cannot be read as text. */
export const notText = (message) => ({ tag: 'not-text', val: message });

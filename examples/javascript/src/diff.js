// The differences of two texts by lines, in unified format.

/** The most differing lines for which the shortest difference is looked for: the search takes their square in time and memory. */
const MOST_EDITS = 1500;

/** Compares two texts; `context` unchanged lines are shown around changes. */
export function compare(before, after, context) {
  const numbers = new Map();
  const old = lines(before, numbers);
  const now = lines(after, numbers);
  const edits = [];
  between(old.ids, now.ids, 0, old.ids.length, 0, now.ids.length, edits);
  let added = 0;
  let removed = 0;
  for (const edit of edits) {
    removed += edit.oldEnd - edit.oldStart;
    added += edit.newEnd - edit.newStart;
  }
  return { equal: edits.length === 0, added, removed, diff: unified(old, now, edits, context) };
}

/** The lines of a text, and for each a number: equal lines have equal numbers. A last line without an ending differs from one with. */
function lines(text, numbers) {
  const all = text.split(/\r\n|\n/);
  const ended = all.at(-1) === '';
  if (ended) all.pop();
  const ids = all.map((line, i) => {
    const key = !ended && i === all.length - 1 ? `${line}\n` : line;
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key);
  });
  return { all, ids, ended };
}

/** Adds the edits between two ranges of lines: `old[oldStart..oldEnd]` is replaced by `now[newStart..newEnd]`. */
function between(old, now, oldStart, oldEnd, newStart, newEnd, edits) {
  while (oldStart < oldEnd && newStart < newEnd && old[oldStart] === now[newStart]) {
    oldStart += 1;
    newStart += 1;
  }
  while (oldStart < oldEnd && newStart < newEnd && old[oldEnd - 1] === now[newEnd - 1]) {
    oldEnd -= 1;
    newEnd -= 1;
  }
  if (oldStart === oldEnd && newStart === newEnd) return;
  const whole = () => edits.push({ oldStart, oldEnd, newStart, newEnd });
  if (oldStart === oldEnd || newStart === newEnd) {
    whole();
    return;
  }
  const kept = shortest(old.slice(oldStart, oldEnd), now.slice(newStart, newEnd)) ?? unique(old, now, oldStart, oldEnd, newStart, newEnd);
  if (kept.length === 0) {
    whole();
    return;
  }
  if (kept.exact) {
    const add = (fromOld, toOld, fromNew, toNew) => {
      if (fromOld < toOld || fromNew < toNew) edits.push({ oldStart: fromOld, oldEnd: toOld, newStart: fromNew, newEnd: toNew });
    };
    let [x, y] = [oldStart, newStart];
    for (const [i, j] of kept) {
      add(x, oldStart + i, y, newStart + j);
      [x, y] = [oldStart + i + 1, newStart + j + 1];
    }
    add(x, oldEnd, y, newEnd);
    return;
  }
  let [x, y] = [oldStart, newStart];
  for (const [i, j] of kept) {
    between(old, now, x, i, y, j, edits);
    [x, y] = [i + 1, j + 1];
  }
  between(old, now, x, oldEnd, y, newEnd, edits);
}

/** Myers: the pairs of lines that a shortest difference keeps; null where it is longer than is looked for. */
function shortest(old, now) {
  const most = Math.min(old.length + now.length, MOST_EDITS);
  const reach = new Int32Array(2 * most + 3);
  const middle = most + 1;
  const history = [];
  for (let d = 0; d <= most; d += 1) {
    history.push(reach.slice(middle - d - 1, middle + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && reach[middle + k - 1] < reach[middle + k + 1]);
      let x = down ? reach[middle + k + 1] : reach[middle + k - 1] + 1;
      let y = x - k;
      while (x < old.length && y < now.length && old[x] === now[y]) {
        x += 1;
        y += 1;
      }
      reach[middle + k] = x;
      if (x >= old.length && y >= now.length) return walkBack(history, d, old.length, now.length);
    }
  }
  return null;
}

function walkBack(history, last, x, y) {
  const kept = [];
  for (let d = last; d > 0; d -= 1) {
    const reach = history[d];
    const at = (k) => reach[k + d + 1];
    const k = x - y;
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const previous = down ? k + 1 : k - 1;
    const fromX = at(previous);
    const fromY = fromX - previous;
    const startX = down ? fromX : fromX + 1;
    while (x > startX) kept.push([(x -= 1), (y -= 1)]);
    [x, y] = [fromX, fromY];
  }
  while (x > 0 && y > 0) kept.push([(x -= 1), (y -= 1)]);
  kept.reverse();
  kept.exact = true;
  return kept;
}

/** Lines that come once in either range, as many as keep their order: where ranges differ too much to look for the shortest. */
function unique(old, now, oldStart, oldEnd, newStart, newEnd) {
  const places = new Map();
  const note = (ids, start, end, side) => {
    for (let i = start; i < end; i += 1) {
      const entry = places.get(ids[i]) ?? [-1, -1];
      entry[side] = entry[side] === -1 ? i : -2;
      places.set(ids[i], entry);
    }
  };
  note(old, oldStart, oldEnd, 0);
  note(now, newStart, newEnd, 1);
  const pairs = [...places.values()].filter(([i, j]) => i >= 0 && j >= 0).sort((a, b) => a[0] - b[0]);
  // The longest increasing run of the second numbers.
  const ends = [];
  for (const [i, j] of pairs) {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const half = (low + high) >> 1;
      if (ends[half].j < j) low = half + 1;
      else high = half;
    }
    ends[low] = { i, j, before: ends[low - 1] };
  }
  const kept = [];
  for (let at = ends.at(-1); at; at = at.before) kept.push([at.i, at.j]);
  return kept.reverse();
}

function unified(old, now, edits, context) {
  if (edits.length === 0) return '';
  const out = ['--- before', '+++ after'];
  const put = (mark, side, i) => {
    out.push(mark + side.all[i]);
    if (i === side.all.length - 1 && !side.ended) out.push('\\ No newline at end of file');
  };
  for (let first = 0; first < edits.length; ) {
    let last = first;
    while (last + 1 < edits.length && edits[last + 1].oldStart - edits[last].oldEnd <= 2 * context) last += 1;
    const oldFrom = Math.max(edits[first].oldStart - context, 0);
    const oldTo = Math.min(edits[last].oldEnd + context, old.all.length);
    const newFrom = edits[first].newStart - (edits[first].oldStart - oldFrom);
    const newTo = edits[last].newEnd + (oldTo - edits[last].oldEnd);
    const range = (from, to) => `${to > from ? from + 1 : from}${to - from === 1 ? '' : `,${to - from}`}`;
    out.push(`@@ -${range(oldFrom, oldTo)} +${range(newFrom, newTo)} @@`);
    let at = oldFrom;
    for (const edit of edits.slice(first, last + 1)) {
      for (; at < edit.oldStart; at += 1) put(' ', old, at);
      for (; at < edit.oldEnd; at += 1) put('-', old, at);
      for (let i = edit.newStart; i < edit.newEnd; i += 1) put('+', now, i);
    }
    for (; at < oldTo; at += 1) put(' ', old, at);
    first = last + 1;
  }
  return `${out.join('\n')}\n`;
}

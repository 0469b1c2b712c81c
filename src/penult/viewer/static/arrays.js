// Arrays of numbers, half a million long at times: loops, where iterators would take several times
// as long.

const AT_ONCE = 32768; // bytes that a call may have as arguments

/** The least and the largest number, NaN aside; zeros if there are none. */
export function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return low <= high ? [low, high] : [0, 0];
}

/** An array of a kind with what a function makes of each value. */
export function mapped(Kind, values, make) {
  const made = new Kind(values.length);
  for (let i = 0; i < values.length; i++) made[i] = make(values[i]);
  return made;
}

/** The rows that pass all tests, in their order. */
export function passing(rows, tests) {
  const passed = new Int32Array(rows.length);
  let count = 0;
  for (let i = 0; i < rows.length; i++) {
    if (tests.every((test) => test(rows[i]))) passed[count++] = rows[i];
  }
  return passed.subarray(0, count);
}

/** Rows as bits of all rows, in base64: the first row's is the lowest of the first byte. */
export function inBits(rows, count) {
  const bytes = new Uint8Array(Math.ceil(count / 8));
  for (let i = 0; i < rows.length; i++) bytes[rows[i] >> 3] |= 1 << (rows[i] & 7);
  let text = "";
  for (let i = 0; i < bytes.length; i += AT_ONCE) {
    text += String.fromCharCode(...bytes.subarray(i, i + AT_ONCE));
  }
  return btoa(text);
}

/** The numbers from 0 up to one. */
export function counting(count) {
  const numbers = new Int32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = i;
  return numbers;
}

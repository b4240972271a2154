// Reads the payload: the same object, in which every packed array has become a typed array.

// Types of automl_explain/dashboard/data/_arrays.py: bytes of a number, its array, and the code of a missing number.
const COLUMN_TYPES = {
  u1: { bytes: 1, make: Uint8Array, missing: 255 },
  u2: { bytes: 2, make: Uint16Array, missing: 65535 },
  u4: { bytes: 4, make: Uint32Array, missing: 4294967295 },
  f4: { bytes: 4, make: Float32Array },
  f8: { bytes: 8, make: Float64Array },
};

export const NO_DECOMPRESSION =
  "This page needs a browser with DecompressionStream: Chrome 80, Edge 80, Safari 16.4 or Firefox 113, or later.";

// Bytes of base64 text.
export function bytesOfBase64(text) {
  if (typeof Uint8Array.fromBase64 === "function") return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i += 1) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

// Bytes of a gzip stream.
export async function gunzip(bytes) {
  if (typeof DecompressionStream === "undefined") throw new Error(NO_DECOMPRESSION);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function readColumn(place, block) {
  const { bytes: width, make, missing } = COLUMN_TYPES[place.column];
  const n = place.n;
  const grouped = block.subarray(place.at, place.at + n * width);
  const ordered = new Uint8Array(n * width);
  for (let byte = 0; byte < width; byte += 1) {
    const start = byte * n;
    for (let i = 0, to = byte; i < n; i += 1, to += width) ordered[to] = grouped[start + i];
  }
  const stored = new make(ordered.buffer);
  if (missing === undefined) return stored;
  const { from = 0, scale = 1 } = place;
  const numbers = new Float64Array(n);
  for (let i = 0; i < n; i += 1) numbers[i] = stored[i] === missing ? NaN : (stored[i] + from) / scale;
  return numbers;
}

function unpack(value, block) {
  if (Array.isArray(value)) return value.map((item) => unpack(item, block));
  if (value === null || typeof value !== "object") return value;
  if (typeof value.column === "string") return readColumn(value, block);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item, block)]));
}

function rowsOf(matrix, width) {
  return Array.from({ length: width }, (_, j) => matrix.subarray((j * matrix.length) / width, ((j + 1) * matrix.length) / width));
}

// The values of the first of two classes may be stored as the negative of the others.
function withNegatives(matrices) {
  return matrices.map((one) => (one.negative_of === undefined ? one : matrices[one.negative_of].map((number) => -number)));
}

// The payload with typed arrays, from the gzip stream of its arrays; numbers that the page compares are Float64Array.
export async function readData(payload, packed) {
  const data = unpack(payload, await gunzip(packed));
  for (const feature of data.features) feature.values = feature.values && Float64Array.from(feature.values);
  const width = data.features.length;
  for (const explanation of data.explanations) {
    for (const name of ["values", "standard_errors"]) {
      if (explanation[name]) explanation[name] = withNegatives(explanation[name]).map((matrix) => rowsOf(matrix, width));
    }
  }
  return data;
}

// What Python sends: the numbers of cloud.py, the words, and the sheets of thumbnails.

const UNKNOWN = 65535;
const NONE = 255;

// Places become -0.5 to 0.5 about the middle of each map, y upwards, equally scaled in all directions.
function unpack(buffer) {
  const view = new DataView(buffer);
  if (view.getUint32(0) !== 0x58504c52) throw new Error("these are no points");
  const count = view.getUint32(4, true);
  const maps = Array.from({ length: view.getUint16(8, true) }, (_, m) => {
    const [axes, x, y, z, step] = [0, 4, 8, 12, 16].map((at) => view[at ? "getFloat32" : "getUint32"](12 + 20 * m + at, true));
    return { axes, lowest: [x, y, z], step };
  });
  let at = 12 + 20 * maps.length;
  const column = (Kind) => {
    const found = new Kind(buffer, at, count);
    at += found.byteLength;
    return found;
  };
  for (const map of maps) {
    const columns = Array.from({ length: map.axes }, () => column(Uint16Array));
    const largest = columns.map((numbers) => numbers.reduce((a, b) => Math.max(a, b), 0));
    map.extent = largest.map((number) => number / 65535);
    map.points = [0, 1, 2].map((axis) => {
      const places = new Float32Array(count);
      if (columns[axis]) for (let k = 0; k < count; k++) places[k] = (columns[axis][k] - largest[axis] / 2) / 65535;
      return places;
    });
    map.span = map.axes === 2 ? map.extent : [1, 1].fill(reach(map.points)); // to be seen, however it is turned
    map.locate = (place) =>
      [0, 1, 2].map((axis) => ((place[axis] ?? 0) - map.lowest[axis]) / map.step / 65535 - (map.extent[axis] ?? 0) / 2);
  }
  const [labels, predictions] = [column(Uint16Array), column(Uint16Array)];
  const known = view.getUint16(10, true);
  const several = (count, Kind) => Array.from({ length: count }, () => column(Kind));
  const groups = several((known >> 2) & 63, Uint16Array);
  const confidence = column(Uint8Array);
  if (known & 1) for (const map of maps) map.trust = column(Uint8Array);
  if (known & 2) for (const map of maps) map.kept = column(Uint8Array);
  const numbers = several(known >> 8, Uint8Array);
  return { count, maps, labels, predictions, confidence, groups, numbers };
}

// Across the ball that holds all points.
function reach([x, y, z]) {
  let farthest = 0;
  for (let k = 0; k < x.length; k++) farthest = Math.max(farthest, x[k] ** 2 + y[k] ** 2 + z[k] ** 2);
  return 2 * Math.sqrt(farthest);
}

// The offline page has its files within it.
async function load(address) {
  if (address.startsWith("data:")) {
    return fromBase64(address.slice(address.indexOf(",") + 1)).buffer;
  }
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.arrayBuffer();
}

async function loadWords(address) {
  return JSON.parse(new TextDecoder().decode(await load(address)));
}

// Thumbnails are cut from their sheets, and a sheet is fetched when the first of them is wanted.
class Sheets {
  constructor(told, arrived) {
    Object.assign(this, told);
    this.arrived = arrived;
    this.images = new Map(); // number of the sheet -> the picture, or null while it is on its way
  }

  // The picture to cut from and where; null until it is there.
  find(index) {
    const sheet = Math.floor(index / this.each);
    const place = index % this.each;
    const image = this.images.get(sheet) ?? this.fetch(sheet);
    return image && [image, (place % this.columns) * this.tile, Math.floor(place / this.columns) * this.tile];
  }

  fetch(sheet) {
    if (this.images.has(sheet)) return null;
    this.images.set(sheet, null);
    const image = new Image();
    image.src = this.sheets[sheet];
    image.decode().then(
      () => {
        this.images.set(sheet, image);
        this.arrived();
      },
      () => setTimeout(() => this.images.delete(sheet), 2000), // to be tried again when it is next wanted
    );
    return null;
  }
}

function fromBase64(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let k = 0; k < bytes.length; k++) bytes[k] = letters.charCodeAt(k);
  return bytes;
}

function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

// One bit for each point, the lowest first in each byte.
function packBits(flags) {
  const bytes = new Uint8Array(Math.ceil(flags.length / 8));
  for (let k = 0; k < flags.length; k++) if (flags[k]) bytes[k >> 3] |= 1 << (k & 7);
  return toBase64(bytes);
}

function unpackBits(text, count) {
  const bytes = fromBase64(text);
  return Uint8Array.from({ length: count }, (_, k) => (bytes[k >> 3] >> (k & 7)) & 1);
}

// Dots by the hundred thousand without a GPU: each is a ready-made disc, blended into an array of pixels.

const MARGIN = 32; // pixels around the canvas, so that no dot needs clipping
const LARGEST = 28; // radius in pixels
const STEPS = 4; // places of a dot's middle within a pixel, each way

const VIRIDIS = [
  [68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 144, 141],
  [34, 168, 132], [66, 190, 113], [122, 209, 81], [189, 223, 38], [253, 231, 37],
]; // prettier-ignore

const rgb = (red, green, blue) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
const css = (colour) => `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;
const luminance = (colour) => (0.3 * (colour & 255) + 0.59 * ((colour >> 8) & 255) + 0.11 * ((colour >> 16) & 255)) / 255;
const GREY = rgb(140, 143, 148);
const OTHER_IN_THE_DARK = rgb(74, 77, 84); // of classes without a colour of their own, which stand back on either paper
const RIGHT = rgb(0, 114, 178);
const WRONG = rgb(230, 159, 0);

// Colours of 0 to 254, and grey for 255, which stands for unknown.
const RAMP = Uint32Array.from({ length: 256 }, (_, k) => {
  if (k === NONE) return GREY;
  const at = (k / 254) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return rgb(...[0, 1, 2].map((c) => Math.round(VIRIDIS[low][c] + (at - low) * (VIRIDIS[low + 1][c] - VIRIDIS[low][c]))));
});

class Raster {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
  }

  resize(width, height) {
    if (this.canvas.width === width && this.canvas.height === height && this.picture) return;
    [this.canvas.width, this.canvas.height] = [width, height];
    this.stride = width + 2 * MARGIN;
    this.picture = new ImageData(this.stride, height + 2 * MARGIN);
    this.pixels = new Uint32Array(this.picture.data.buffer);
    this.made = new Map();
  }

  clear(colour) {
    this.pixels.fill(colour);
  }

  show() {
    this.context.putImageData(this.picture, -MARGIN, -MARGIN);
  }

  // Discs of a radius and an opacity, one for each place of the middle within its pixel.
  stamps(radius, opacity) {
    const quarters = Math.max(2, Math.round(Math.min(radius, LARGEST) * 4));
    const key = quarters * 1000 + Math.round(opacity * 256);
    let found = this.made.get(key);
    if (!found) this.made.set(key, (found = this.make(quarters / 4, opacity)));
    return found;
  }

  make(radius, opacity) {
    return Array.from({ length: STEPS * STEPS }, (_, k) => {
      const [x, y] = [((k % STEPS) + 0.5) / STEPS, (Math.floor(k / STEPS) + 0.5) / STEPS];
      const [offsets, alphas] = [[], []];
      const reach = Math.ceil(radius + 1);
      for (let row = -reach; row <= reach; row++) {
        for (let column = -reach; column <= reach; column++) {
          const inside = radius + 0.5 - Math.hypot(column + 0.5 - x, row + 0.5 - y);
          const alpha = Math.round(256 * opacity * Math.min(1, Math.max(0, inside)));
          if (alpha) offsets.push(row * this.stride + column) && alphas.push(alpha);
        }
      }
      return { offsets: Int32Array.from(offsets), alphas: Int32Array.from(alphas) };
    });
  }

  dot(stamps, x, y, colour) {
    const { pixels, stride } = this;
    if (!(x > -3 && y > -3 && x < this.canvas.width + 3 && y < this.canvas.height + 3)) return;
    const left = Math.floor(x);
    const top = Math.floor(y);
    const { offsets, alphas } = stamps[((y - top) * STEPS | 0) * STEPS + ((x - left) * STEPS | 0)];
    const start = (top + MARGIN) * stride + left + MARGIN;
    const redBlue = colour & 0xff00ff;
    const green = colour & 0x00ff00;
    for (let k = 0; k < offsets.length; k++) {
      const at = start + offsets[k];
      const alpha = alphas[k];
      const below = pixels[at];
      pixels[at] =
        0xff000000 |
        (((Math.imul(redBlue, alpha) + Math.imul(below & 0xff00ff, 256 - alpha)) >>> 8) & 0xff00ff) |
        (((Math.imul(green, alpha) + Math.imul(below & 0x00ff00, 256 - alpha)) >>> 8) & 0x00ff00);
    }
  }
}

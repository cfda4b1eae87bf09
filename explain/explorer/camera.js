// Where the points of a map fall on the screen, in CSS pixels.

const DEEPEST = 400; // times the whole map

class Camera {
  constructor() {
    this.reset();
    this.extent = [1, 1];
    [this.width, this.height] = [1, 1];
  }

  reset() {
    this.zoom = 1;
    [this.x, this.y] = [0, 0]; // of the map's middle from the canvas's, in CSS pixels
    this.turn = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    if (this.solid) this.rotate(0.6, 0.35);
  }

  // The scale at which the whole map is seen.
  get whole() {
    const room = 36;
    const [across, up] = this.extent;
    const fit = Math.min((this.width - room) / (across || 1e-6), (this.height - room) / (up || 1e-6));
    return Math.max(1, Math.min(fit, 4 * Math.max(this.width, this.height)));
  }

  get scale() {
    return this.whole * this.zoom;
  }

  pan(x, y) {
    this.x += x;
    this.y += y;
  }

  // What lies under (x, y) stays there.
  magnify(factor, x, y) {
    const zoom = Math.min(DEEPEST, Math.max(0.5, this.zoom * factor));
    const by = zoom / this.zoom;
    const [left, top] = [x - this.width / 2, y - this.height / 2];
    this.x = left - (left - this.x) * by;
    this.y = top - (top - this.y) * by;
    this.zoom = zoom;
  }

  rotate(right, down) {
    const [cosR, sinR, cosD, sinD] = [Math.cos(right), Math.sin(right), Math.cos(down), Math.sin(down)];
    const about = [cosR, 0, sinR, sinD * sinR, cosD, -sinD * cosR, -cosD * sinR, sinD, cosD * cosR];
    const t = this.turn;
    const at = (row, column) => about[row * 3] * t[column] + about[row * 3 + 1] * t[3 + column] + about[row * 3 + 2] * t[6 + column];
    const turned = Array.from({ length: 9 }, (_, k) => at(Math.floor(k / 3), k % 3));
    const unit = (v) => v.map((part) => part / Math.hypot(...v));
    const first = unit(turned.slice(0, 3)); // rows stay of length 1 and at right angles, however often it is turned
    const along = first[0] * turned[3] + first[1] * turned[4] + first[2] * turned[5];
    const second = unit([0, 1, 2].map((k) => turned[3 + k] - along * first[k]));
    const third = [0, 1, 2].map((k) => first[(k + 1) % 3] * second[(k + 2) % 3] - first[(k + 2) % 3] * second[(k + 1) % 3]);
    this.turn = [...first, ...second, ...third];
  }

  // Points [x, y, z] into places [across, down, depth]; depth is -0.9 far away to 0.9 near.
  project([x, y, z], [across, down, depth]) {
    const { scale, turn } = this;
    const [left, top] = [this.width / 2 + this.x, this.height / 2 + this.y];
    if (!this.solid) {
      for (let k = 0; k < x.length; k++) {
        across[k] = left + scale * x[k];
        down[k] = top - scale * y[k];
      }
      return;
    }
    const [a, b, c, d, e, f, g, h, i] = turn;
    for (let k = 0; k < x.length; k++) {
      across[k] = left + scale * (a * x[k] + b * y[k] + c * z[k]);
      down[k] = top - scale * (d * x[k] + e * y[k] + f * z[k]);
      depth[k] = g * x[k] + h * y[k] + i * z[k];
    }
  }
}

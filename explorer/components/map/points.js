// The points of a map, found by place.
//
// The server sends them along a space-filling curve (explorer/map_data.py), so that BLOCK points in a row are near to
// each other: their bounding boxes are all the index there is. A query looks at the boxes, a few thousand of a million
// points, and then at the few blocks that can matter. A *row* is a place in this order; a point's own *index*, which
// is all that Python hears of, is `order[row]`.
const BLOCK = 256
const SAMPLE = 4000 // points that tell what all are like
const USUAL_OF = 400 // points that tell how far apart they are
const OUTSIDE = 0.0015 // share of them, on each side
const HIDDEN = 0 // in `paint`: everything else is 1 + a colour

class Points {
  // buffer: float32 (N, 2) places, int32 (N,) indices, int32 (N,) rows of the data set or seeds, uint8 (N,) sources, and
  // uint8 (N,) whether a point has a latent: an image has none where the model cannot encode it.
  constructor(buffer, count) {
    this.count = count
    this.places = new Float32Array(buffer, 0, 2 * count)
    this.order = new Int32Array(buffer, 8 * count, count)
    this.numbers = new Int32Array(buffer, 12 * count, count)
    this.sources = new Uint8Array(buffer, 16 * count, count)
    this.known = new Uint8Array(buffer, 17 * count, count)
    this.paint = new Uint8Array(count).fill(1)
    this.matches = new WeakMap() // rows of other maps' points
    this.blocks = Math.ceil(count / BLOCK)
    this.boxes = new Float32Array(4 * this.blocks) // left, bottom, right, top
    for (let block = 0; block < this.blocks; block++) this.#bound(block)
    this.bounds = this.#bounds()
    this.extent = this.#extent()
    this.spacing = this.#spacing()
  }

  #bound(block) {
    let [left, bottom, right, top] = [Infinity, Infinity, -Infinity, -Infinity]
    for (let row = block * BLOCK; row < this.end(block); row++) {
      const x = this.places[2 * row]
      const y = this.places[2 * row + 1]
      if (x < left) left = x
      if (x > right) right = x
      if (y < bottom) bottom = y
      if (y > top) top = y
    }
    this.boxes.set([left, bottom, right, top], 4 * block)
  }

  end(block) {
    return Math.min(this.count, (block + 1) * BLOCK)
  }

  #bounds() {
    const all = [Infinity, Infinity, -Infinity, -Infinity]
    this.boxes.forEach((value, i) => (all[i % 4] = (i % 4 < 2 ? Math.min : Math.max)(all[i % 4], value)))
    return all
  }

  // What is to be seen at first: all but the few that lie far outside.
  #extent() {
    const step = Math.max(1, Math.floor(this.count / SAMPLE))
    const range = axis => {
      const values = []
      for (let row = 0; row < this.count; row += step) values.push(this.places[2 * row + axis])
      values.sort((a, b) => a - b)
      const out = Math.floor(OUTSIDE * values.length)
      return [values[out], values.at(-1 - out)]
    }
    const [[left, right], [bottom, top]] = [range(0), range(1)]
    return [left, bottom, right, top]
  }

  // How far apart neighbours are where most points are: the side of a block's box, shared by its points.
  #spacing() {
    const sides = []
    for (let block = 0; block < this.blocks; block++) {
      const [left, bottom, right, top] = this.boxes.subarray(4 * block, 4 * block + 4)
      const points = this.end(block) - block * BLOCK
      sides.push(Math.sqrt(Math.max((right - left) * (top - bottom), 1e-12) / points))
    }
    return sides.sort((a, b) => a - b)[sides.length >> 1]
  }

  // The row of each index.
  get ranks() {
    if (!this.inverse) {
      this.inverse = new Int32Array(this.count)
      this.order.forEach((index, row) => (this.inverse[index] = row))
    }
    return this.inverse
  }

  // The row of each point by what it is on every map of a model: its source, and its number there.
  get identities() {
    if (!this.rows) {
      this.rows = new Map()
      for (let row = 0; row < this.count; row++) this.rows.set(this.#identity(row), row)
    }
    return this.rows
  }

  #identity(row) {
    return this.sources[row] * 2 ** 32 + this.numbers[row]
  }

  // Return the row that a row of this map has on another one, -1 if the point is not there.
  rowOn(other, row) {
    return other === this ? row : (other.identities.get(this.#identity(row)) ?? -1)
  }

  // The same of all rows, shape (count,).
  rowsOn(other) {
    if (!this.matches.has(other)) {
      this.matches.set(other, Int32Array.from({ length: this.count }, (_, row) => this.rowOn(other, row)))
    }
    return this.matches.get(other)
  }

  // Squared distance from a place to a block's box.
  #reach(block, x, y) {
    const { boxes } = this
    const at = 4 * block
    const across = Math.max(boxes[at] - x, 0, x - boxes[at + 2])
    const up = Math.max(boxes[at + 1] - y, 0, y - boxes[at + 3])
    return across * across + up * up
  }

  // Return the k visible points nearest to a place, nearest first: [{ row, far }], with their distances.
  // known: whether only those with a latent count.
  nearest(x, y, k, { within = Infinity, known = false } = {}) {
    const found = []
    let limit = within * within
    const look = block => {
      for (let row = block * BLOCK; row < this.end(block); row++) {
        const across = this.places[2 * row] - x
        const up = this.places[2 * row + 1] - y
        const square = across * across + up * up
        if (square > limit || this.paint[row] === HIDDEN || (known && !this.known[row])) continue
        let at = found.length
        while (at > 0 && found[at - 1].square > square) at--
        found.splice(at, 0, { row, square })
        if (found.length > k) found.pop()
        if (found.length === k) limit = found[k - 1].square
      }
    }
    let first = 0
    let least = Infinity
    const reaches = new Float32Array(this.blocks)
    for (let block = 0; block < this.blocks; block++) {
      reaches[block] = this.#reach(block, x, y)
      if (reaches[block] < least) [first, least] = [block, reaches[block]]
    }
    if (least <= limit) look(first) // so that most others are too far away
    for (let block = 0; block < this.blocks; block++) {
      if (block !== first && reaches[block] <= limit) look(block)
    }
    return found.map(({ row, square }) => ({ row, far: Math.sqrt(square) }))
  }

  // How far apart points typically are: the median of the mean distances of some to their k nearest, as
  // `models.embedding.place.spacing`. Of all that are visible when it is first asked for.
  usual(k) {
    if (this.typical) return this.typical
    const step = Math.max(1, Math.floor(this.count / USUAL_OF))
    const means = []
    for (let row = 0; row < this.count; row += step) {
      const near = this.nearest(this.places[2 * row], this.places[2 * row + 1], k + 1, { known: true }).slice(1)
      if (near.length) means.push(near.reduce((sum, { far }) => sum + far, 0) / near.length)
    }
    means.sort((a, b) => a - b)
    return (this.typical = Math.max(means[means.length >> 1] ?? 0, 1e-6))
  }

  // Return the rows of the visible points inside a polygon [[x, y], ...] (even-odd rule).
  inside(polygon) {
    const xs = polygon.map(([x]) => x)
    const ys = polygon.map(([, y]) => y)
    const [left, right] = [Math.min(...xs), Math.max(...xs)]
    const [bottom, top] = [Math.min(...ys), Math.max(...ys)]
    const rows = []
    for (let block = 0; block < this.blocks; block++) {
      const at = 4 * block
      if (this.boxes[at] > right || this.boxes[at + 2] < left) continue
      if (this.boxes[at + 1] > top || this.boxes[at + 3] < bottom) continue
      for (let row = block * BLOCK; row < this.end(block); row++) {
        if (this.paint[row] === HIDDEN) continue
        const x = this.places[2 * row]
        const y = this.places[2 * row + 1]
        if (x < left || x > right || y < bottom || y > top) continue
        if (surrounds(xs, ys, x, y)) rows.push(row)
      }
    }
    return rows
  }
}

// Crossings of a ray to the right: an odd number of them is inside.
function surrounds(xs, ys, x, y) {
  let odd = false
  for (let i = 0, j = xs.length - 1; i < xs.length; j = i++) {
    if (ys[i] > y === ys[j] > y) continue
    if (x < ((xs[j] - xs[i]) * (y - ys[i])) / (ys[j] - ys[i]) + xs[i]) odd = !odd
  }
  return odd
}

// Return a set of indices below `count` as text: one bit each, the first in the lowest bit, in base64.
function toBits(indices, count) {
  const bytes = new Uint8Array(Math.ceil(count / 8))
  for (const index of indices) bytes[index >> 3] |= 1 << (index & 7)
  let text = ""
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return btoa(text)
}

// Return the same from text: a function that tells whether an index is in the set.
function fromBits(text) {
  const bytes = decodeBytes(text)
  return index => ((bytes[index >> 3] >> (index & 7)) & 1) === 1
}

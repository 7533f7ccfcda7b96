// Points drawn as discs into the pixels of a canvas. Without a GPU this is several times faster than WebGL, and with
// one it is fast enough; it looks the same everywhere.
//
// Each disc adds its colour and its weight to the sums of the pixels that it covers; then every pixel gets the mean of
// its colours, the stronger the more points lie there. So nothing depends on the order of the points, and density can
// be seen at every zoom. Sums of a pixel are two words: red and green, blue and weight, 16 bits each.
const PAD = 24 // pixels around the picture that discs may reach into, so that none has to be clipped
const TONES = 63 // levels of a colour channel in the sums
const FULL = 4 // weight of a pixel that lies in a disc; at its edge it is less
const MARKED = 4 // points that a point counts as which stands out
const MOST = 960 // weight of a pixel that is not added to any more: 63 * (960 + 4 * 4) < 2^16
const CROWD = 0.8 // pixels between neighbours below which a point is a pixel and no disc
const SMALLEST = 1.6 // diameters of discs: in device pixels,
const LARGEST = 7.5 // and in CSS pixels
const SHARE = 0.66 // of the distance between neighbours that a disc takes

class Splat {
  constructor(points) {
    this.points = points
    this.width = this.height = 0
    this.low = new Int32Array(256) // red and green of each paint, and below blue and weight
    this.high = new Int32Array(256)
    this.scale = new Float32Array(MOST + MARKED * FULL + 1)
    this.rest = new Float32Array(MOST + MARKED * FULL + 1)
    this.ground = [255, 255, 255]
  }

  // colours: [paint, [red, green, blue] in [0, 255], points that it counts as] of each; ground: a colour, too.
  dye(colours, ground) {
    this.ground = ground
    for (const [paint, colour, weight = 1] of colours) {
      const [red, green, blue] = colour.map(value => weight * Math.round((value / 255) * TONES))
      this.low[paint] = (red << 16) | green
      this.high[paint] = (blue << 16) | weight
    }
  }

  #resize(width, height) {
    if (this.width === width && this.height === height) return
    Object.assign(this, { width, height })
    const size = 2 * (width + 2 * PAD) * (height + 2 * PAD)
    // Moving at fewer pixels, and back, would otherwise make garbage by the megabyte.
    if (!this.memory || this.memory.length < size) this.memory = new Int32Array(size)
    this.sums = this.memory.subarray(0, size)
    this.image = new ImageData(width, height)
    this.pixels = new Uint32Array(this.image.data.buffer)
  }

  // Draw what a camera sees; returns how many points that were.
  // ratio: device pixels for each CSS pixel; stride: only every so many-th point is drawn, and counts for as many.
  draw(camera, ratio, stride = 1) {
    this.#resize(Math.round(camera.width * ratio), Math.round(camera.height * ratio))
    this.sums.fill(0)
    const apart = this.points.spacing * camera.k * ratio // pixels between neighbours
    const crowded = apart < CROWD
    const diameter = clamp(SHARE * apart, SMALLEST, LARGEST * ratio)
    const drawn = crowded ? this.#dots(camera, ratio, stride) : this.#discs(camera, ratio, stride, diameter)
    this.#tone(crowded ? 1 : FULL, stride, apart)
    this.#develop()
    return drawn
  }

  // Call `each(from, to, inside)` with the rows of each block that is seen; `inside`: no point of it can be outside.
  #seen(camera, ratio, margin, each) {
    const { points, width, height } = this
    const { boxes } = points
    const k = camera.k * ratio
    const left = width / 2 - camera.x * k
    const top = height / 2 + camera.y * k
    for (let block = 0, at = 0; block < points.blocks; block++, at += 4) {
      const x0 = left + boxes[at] * k
      const x1 = left + boxes[at + 2] * k
      const y0 = top - boxes[at + 3] * k
      const y1 = top - boxes[at + 1] * k
      if (x1 < -margin || y1 < -margin || x0 >= width + margin || y0 >= height + margin) continue
      const inside = x0 >= 0 && y0 >= 0 && x1 < width - 1 && y1 < height - 1
      each(block * BLOCK, points.end(block), inside, k, left + PAD, top + PAD)
    }
  }

  // A pixel for each point: all that a crowd of them needs.
  #dots(camera, ratio, stride) {
    const { places, paint } = this.points
    const { sums, low, high, width, height } = this
    const row = width + 2 * PAD
    let drawn = 0
    this.#seen(camera, ratio, 0, (from, to, inside, k, left, top) => {
      for (let i = from; i < to; i += stride) {
        const p = paint[i]
        if (p === HIDDEN) continue
        const x = (left + places[2 * i] * k) | 0
        const y = (top - places[2 * i + 1] * k) | 0
        if (!inside && (x < PAD || y < PAD || x >= width + PAD || y >= height + PAD)) continue
        const at = 2 * (y * row + x)
        drawn++
        if ((sums[at + 1] & 0xffff) >= MOST) continue
        sums[at] = (sums[at] + low[p]) | 0
        sums[at + 1] = (sums[at + 1] + high[p]) | 0
      }
    })
    return drawn
  }

  #discs(camera, ratio, stride, diameter) {
    const { places, paint } = this.points
    const { sums, low, high, width, height } = this
    const row = width + 2 * PAD
    const [offsets, weights] = this.#disc(diameter, row)
    const pixels = offsets.length
    const margin = Math.ceil(diameter / 2)
    let drawn = 0
    this.#seen(camera, ratio, margin, (from, to, inside, k, left, top) => {
      for (let i = from; i < to; i += stride) {
        const p = paint[i]
        if (p === HIDDEN) continue
        const x = (left + places[2 * i] * k) | 0
        const y = (top - places[2 * i + 1] * k) | 0
        if (!inside && (x < PAD - margin || y < PAD - margin)) continue
        if (!inside && (x >= width + PAD + margin || y >= height + PAD + margin)) continue
        const at = 2 * (y * row + x)
        const a = low[p]
        const b = high[p]
        drawn++
        for (let n = 0; n < pixels; n++) {
          const to = at + offsets[n]
          if ((sums[to + 1] & 0xffff) >= MOST) continue
          const weight = weights[n]
          sums[to] = (sums[to] + Math.imul(a, weight)) | 0
          sums[to + 1] = (sums[to + 1] + Math.imul(b, weight)) | 0
        }
      }
    })
    return drawn
  }

  // Return where the pixels of a disc lie in the sums, from its middle, and how much of each it covers.
  #disc(diameter, row) {
    const offsets = []
    const weights = []
    const reach = Math.ceil(diameter / 2)
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        const covered = clamp(diameter / 2 + 0.5 - Math.hypot(x, y), 0, 1)
        const weight = Math.round(FULL * covered)
        if (!weight) continue
        offsets.push(2 * (y * row + x))
        weights.push(weight)
      }
    }
    return [Int32Array.from(offsets), Int32Array.from(weights)]
  }

  // How a pixel of some weight is to look: `scale` times the sums of its colours and `rest` times the ground.
  //
  // A lone point is nearly opaque while points keep apart. In a crowd it is the fainter the more share a pixel, and
  // strength grows with the logarithm of their number: neither the few nor the many are lost.
  #tone(unit, stride, apart) {
    const crowd = Math.max(1, 1 / (apart * apart)) // points for each pixel where most are
    const lone = Math.max(0.16, 0.86 / crowd ** 0.55)
    const steps = Math.log(1 + 9 * crowd)
    for (let weight = 1; weight < this.scale.length; weight++) {
      const count = (weight / unit) * stride
      const more = Math.min(1, Math.log(Math.max(1, count)) / steps)
      const strength = Math.min(1, count) * (lone + (0.97 - lone) * more)
      this.scale[weight] = (strength * 255) / (TONES * weight)
      this.rest[weight] = 1 - strength
    }
  }

  // Make pixels of sums.
  #develop() {
    const { sums, pixels, scale, rest, width, height } = this
    const [red, green, blue] = this.ground
    const empty = (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0
    let to = 0
    for (let y = 0; y < height; y++) {
      let at = 2 * ((y + PAD) * (width + 2 * PAD) + PAD)
      for (let x = 0; x < width; x++, at += 2, to++) {
        const second = sums[at + 1]
        if (second === 0) {
          pixels[to] = empty
          continue
        }
        const first = sums[at]
        const weight = second & 0xffff
        const s = scale[weight]
        const q = rest[weight]
        const r = ((first >>> 16) * s + red * q) | 0
        const g = ((first & 0xffff) * s + green * q) | 0
        const b = ((second >>> 16) * s + blue * q) | 0
        pixels[to] = 0xff000000 | (b << 16) | (g << 8) | r
      }
    }
  }
}

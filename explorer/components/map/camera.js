// What part of the map is seen. Places have y upwards; CSS pixels have it downwards.
const MARGIN = 0.93 // share of the window that the whole map takes
const DEEPEST = 600 // times the whole map
const OUTMOST = 0.5
const GLIDE_MS = 260

class Camera {
  constructor() {
    this.width = this.height = 1
    this.extent = [-1, -1, 1, 1] // left, bottom, right, top of what is seen at first
    this.bounds = this.extent // and of everything
    this.x = this.y = 0 // the place in the middle
    this.k = 1 // CSS pixels for each unit
    this.glide = null
  }

  // The zoom, 1 where the whole map is seen.
  get zoom() {
    return this.k / this.whole
  }

  get whole() {
    const [left, bottom, right, top] = this.extent
    const across = this.width / Math.max(right - left, 1e-6)
    return MARGIN * Math.min(across, this.height / Math.max(top - bottom, 1e-6))
  }

  // Keep what is in the middle there, at the same zoom.
  resize(width, height) {
    const { zoom } = this
    Object.assign(this, { width, height })
    this.k = zoom * this.whole
  }

  show(extent, bounds = extent) {
    Object.assign(this, { extent, bounds, glide: null })
    Object.assign(this, this.home())
  }

  home() {
    const [left, bottom, right, top] = this.extent
    return { x: (left + right) / 2, y: (bottom + top) / 2, k: this.whole }
  }

  // Where it is, or will be at the end of a glide.
  get goal() {
    const { x, y, k } = this.glide?.to ?? this
    return { x, y, zoom: k / this.whole }
  }

  toScreen(x, y) {
    return [this.width / 2 + (x - this.x) * this.k, this.height / 2 - (y - this.y) * this.k]
  }

  toPlace(left, top) {
    return [this.x + (left - this.width / 2) / this.k, this.y - (top - this.height / 2) / this.k]
  }

  pan(right, down) {
    this.glide = null
    this.#move({ x: this.x - right / this.k, y: this.y + down / this.k, k: this.k })
  }

  // Zoom by a factor, so that what is under some pixel stays there.
  zoomAt(factor, left = this.width / 2, top = this.height / 2) {
    this.glide = null
    const [x, y] = this.toPlace(left, top)
    const k = this.#bounded(this.k * factor)
    this.#move({ x: x - (left - this.width / 2) / k, y: y + (top - this.height / 2) / k, k })
  }

  // Go somewhere, in a moment or at once.
  go(to, smooth) {
    const target = { x: this.x, y: this.y, ...to, k: this.#bounded(to.k ?? this.k) }
    if (smooth) this.glide = { from: { x: this.x, y: this.y, k: this.k }, to: target, since: performance.now() }
    else this.#move(target)
  }

  // Move on with a glide; tell whether it goes on.
  step(now) {
    if (!this.glide) return false
    const { from, to, since } = this.glide
    const share = clamp((now - since) / GLIDE_MS, 0, 1)
    const eased = 1 - (1 - share) ** 3
    const between = name => from[name] + eased * (to[name] - from[name])
    this.#move({ x: between("x"), y: between("y"), k: Math.exp(Math.log(from.k) + eased * Math.log(to.k / from.k)) })
    if (share === 1) this.glide = null
    return true
  }

  #bounded(k) {
    return clamp(k, OUTMOST * this.whole, DEEPEST * this.whole)
  }

  // The middle of the window never leaves the map, so that nobody gets lost.
  #move({ x, y, k }) {
    const [left, bottom, right, top] = this.bounds
    Object.assign(this, { x: clamp(x, left, right), y: clamp(y, bottom, top), k })
  }
}

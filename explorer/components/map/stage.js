// The canvas of a map: the points, and over them paths, rings and names; drawn when something has changed.
const SHARPEST = 2 // device pixels for each CSS pixel that are drawn at most
const REST_MS = 140 // without a move, after which everything is drawn in full
// While the map moves, a frame that takes longer than this makes the next ones coarser: fewer pixels, then fewer points.
// At rest there is always the full picture.
const BUDGET_MS = 22
const EASY_MS = 11
const STRIDES = [1, 2, 4, 8]

class Stage {
  // ondraw(gliding): called after each frame; onrest(): when `rests` has changed.
  constructor(ondraw, onrest) {
    Object.assign(this, { ondraw, onrest })
    this.rests = false // whether everything is drawn, in full
    this.canvas = make("canvas")
    // The pixels come from memory: a canvas there takes them over at once.
    this.context = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true })
    this.camera = new Camera()
    this.overlay = new Overlay()
    this.marks = new Marks()
    this.labels = new Labels()
    this.figures = { redraws: 0, points: 0, busy: 0 } // of all redraws, for measurements
    this.coarse = 0 // level of the frames while the map moves
    this.still = 0 // when it stops to move
  }

  close() {
    clearTimeout(this.resting)
    cancelAnimationFrame(this.frame)
  }

  // Show other points; all of them first.
  show(points) {
    this.points = points
    this.splat = new Splat(points)
    this.look = null // nothing is drawn before these are dressed
    this.#rest(false)
    this.marks.forget()
    this.camera.show(points.extent, points.bounds)
  }

  get ratio() {
    return Math.min(window.devicePixelRatio || 1, SHARPEST)
  }

  // colours: as `Splat.dye` takes them; look: { ground, ink, accent, font }, all for CSS but the ground, which is a colour.
  dress(colours, look) {
    this.splat.dye(colours, look.ground)
    this.dyes = [colours, look.ground]
    this.look = { ...look, ground: toCss(look.ground), ratio: this.ratio }
  }

  // Return what is seen as a canvas of its own, in full. ratio: its pixels for each CSS pixel.
  picture(ratio) {
    const { camera } = this
    const splat = new Splat(this.points)
    splat.dye(...this.dyes)
    splat.draw(camera, ratio)
    const canvas = make("canvas", "", { width: splat.width, height: splat.height })
    const context = canvas.getContext("2d", { alpha: false })
    context.putImageData(splat.image, 0, 0)
    context.scale(splat.width / camera.width, splat.height / camera.height)
    this.#drawAbove(context, this.labels.at(ratio), { ...this.look, ratio, saved: true })
    return canvas
  }

  fit(width, height) {
    if (width === this.camera.width && height === this.camera.height) return
    this.camera.resize(width, height)
    this.draw(true)
  }

  move(change) {
    change(this.camera)
    this.still = performance.now() + REST_MS
    this.draw(true)
  }

  glide(to) {
    const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches
    this.move(camera => camera.go(to, smooth))
  }

  // points: whether these have to be drawn anew, and not only what lies over them.
  draw(points) {
    if (!this.splat || !this.look) return
    this.stale ||= points
    this.#rest(false)
    this.frame ||= requestAnimationFrame(now => {
      this.frame = 0
      this.#draw(now)
    })
  }

  #draw(now) {
    if (!this.look) return
    const began = performance.now()
    const gliding = this.camera.step(now)
    if (gliding) this.still = began + REST_MS
    const moving = began < this.still
    if (this.stale || gliding) this.#splat(moving ? this.coarse : 0)
    const { context, canvas, camera } = this
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.putImageData(this.splat.image, 0, 0)
    const ratio = canvas.width / camera.width
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    this.#drawAbove(context, this.labels, this.look)
    const busy = performance.now() - began
    this.figures.redraws++
    this.figures.busy += busy
    if (moving) this.#pace(busy)
    if (gliding) this.draw(true)
    this.ondraw(gliding)
    this.#rest(!this.frame && !this.resting)
  }

  #rest(on) {
    if (on === this.rests) return
    this.rests = on
    this.onrest()
  }

  // Draw what lies over the points.
  #drawAbove(context, labels, look) {
    const { camera, overlay, marks, points } = this
    overlay.draw(context, camera, points, look)
    marks.draw(context, camera, points, look)
    labels.draw(context, camera)
    marks.drawLetters(context, camera, look)
  }

  #splat(level) {
    const fewer = this.ratio > 1 ? 1 : 0 // levels with fewer pixels
    const ratio = level && fewer ? 1 : this.ratio
    this.figures.points += this.splat.draw(this.camera, ratio, STRIDES[Math.max(0, level - fewer)])
    const { width, height } = this.splat
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height })
    this.stale = false
    clearTimeout(this.resting)
    this.resting = level && setTimeout(() => this.#refine(), REST_MS + 20)
  }

  #refine() {
    this.resting = 0
    this.draw(true)
  }

  #pace(busy) {
    const coarsest = STRIDES.length - 1 + (this.ratio > 1 ? 1 : 0)
    if (busy > BUDGET_MS) this.coarse = Math.min(coarsest, this.coarse + 1)
    else if (busy < EASY_MS) this.coarse = Math.max(0, this.coarse - 1)
  }
}

// Let the person keep what is seen as a file.
const SAVED_RATIO = 2 // its pixels for each CSS pixel, at least

function savePicture(stage, name) {
  if (!stage.look) return
  stage.picture(Math.max(SAVED_RATIO, stage.ratio)).toBlob(blob => {
    const link = make("a", "", { href: URL.createObjectURL(blob), download: `${name}.png` })
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10000)
  }, "image/png")
}

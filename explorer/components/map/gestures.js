// What a hand does to the map, as intentions: drag, wheel, pinch, keys.
const STILL = 4 // CSS pixels that a click may move
const KEY_PAN = 0.1 // of the window
const KEY_FINE = 0.02
const KEY_ZOOM = 1.5
const WHEEL = 0.0016 // of a zoom's logarithm for each pixel
const WHEEL_LINE = 24 // pixels that a line of a wheel counts for
const PINCH = 8 // times a wheel's, where the browser tells a pinch by it
const LASSO_STEP = 3 // CSS pixels between two corners of a lasso

class Gestures {
  // on: { pan(right, down), zoom(factor, left, top), hover(left, top), leave(), click(left, top), line(corners, done),
  //       key(name) }; the last one tells whether it knew the key.
  constructor(node, on) {
    Object.assign(this, { node, on })
    this.selecting = false // whether a drag draws a lasso
    this.pointers = new Map()
    this.drag = null
    node.addEventListener("pointerdown", event => this.#down(event))
    node.addEventListener("pointermove", event => this.#move(event))
    node.addEventListener("pointerup", event => this.#up(event))
    node.addEventListener("pointercancel", event => this.#drop(event))
    node.addEventListener("lostpointercapture", event => this.#drop(event))
    node.addEventListener("pointerleave", event => event.pointerType === "mouse" && !this.drag && on.leave())
    node.addEventListener("wheel", event => this.#wheel(event), { passive: false })
    node.addEventListener("keydown", event => this.#key(event))
  }

  #at(event) {
    const box = this.node.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }

  #down(event) {
    if (event.button > 0 || event.target.closest("button")) return
    const at = this.#at(event)
    this.node.setPointerCapture(event.pointerId)
    this.pointers.set(event.pointerId, at)
    const lasso = this.pointers.size === 1 && (this.selecting || event.shiftKey)
    this.drag = { from: at, last: at, moved: this.pointers.size > 1, line: lasso ? [at] : null }
    if (event.pointerType !== "mouse") this.on.hover(...at)
  }

  #move(event) {
    const at = this.#at(event)
    if (!this.pointers.has(event.pointerId)) {
      if (event.pointerType === "mouse" && !event.target.closest("button")) this.on.hover(...at)
      return
    }
    const before = this.pointers.get(event.pointerId)
    this.pointers.set(event.pointerId, at)
    if (this.pointers.size > 1) {
      this.#pinch(before, at, event.pointerId)
      return
    }
    const { drag } = this
    if (!drag) return
    drag.moved ||= Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) > STILL
    if (!drag.moved) return
    this.node.classList.add("dragged")
    if (drag.line) {
      const [left, top] = drag.line.at(-1)
      if (Math.hypot(at[0] - left, at[1] - top) < LASSO_STEP) return
      drag.line.push(at)
      this.on.line(drag.line, false)
    } else {
      this.on.pan(at[0] - drag.last[0], at[1] - drag.last[1])
      drag.last = at
    }
  }

  // Two fingers: their middle moves the map, their distance zooms it.
  #pinch(before, at, id) {
    const [, other] = [...this.pointers].find(([one]) => one !== id)
    const apart = place => Math.max(8, Math.hypot(place[0] - other[0], place[1] - other[1]))
    this.drag = { ...this.drag, moved: true, line: null, last: other }
    this.on.pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2)
    this.on.zoom(apart(at) / apart(before), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2)
  }

  #up(event) {
    const { drag } = this
    if (!this.pointers.has(event.pointerId) || !drag) return
    const at = this.#at(event)
    const done = this.pointers.size === 1
    this.#drop(event)
    if (!done) return
    if (!drag.moved) this.on.click(...at)
    else if (drag.line) this.on.line(drag.line, true)
    if (event.pointerType === "mouse") this.on.hover(...at)
  }

  #drop(event) {
    if (!this.pointers.delete(event.pointerId)) return
    if (event.type !== "pointerup" && this.drag?.line?.length > 1) this.on.line([], true) // it was taken away
    const [rest] = this.pointers.values()
    this.drag = rest ? { from: rest, last: rest, moved: true, line: null } : null
    if (!rest) this.node.classList.remove("dragged")
  }

  #wheel(event) {
    event.preventDefault()
    const pixels = event.deltaY * (event.deltaMode ? WHEEL_LINE : 1) * (event.ctrlKey ? PINCH : 1)
    const at = this.#at(event)
    this.on.zoom(Math.exp(-WHEEL * clamp(pixels, -400, 400)), ...at)
    this.on.hover(...at)
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.node) return
    const { on, node } = this
    const by = event.shiftKey ? KEY_FINE : KEY_PAN
    const [across, up] = [by * node.clientWidth, by * node.clientHeight]
    const pans = { ArrowLeft: [across, 0], ArrowRight: [-across, 0], ArrowUp: [0, up], ArrowDown: [0, -up] }
    const zooms = { "+": KEY_ZOOM, "=": KEY_ZOOM, "-": 1 / KEY_ZOOM, _: 1 / KEY_ZOOM }
    if (event.key in pans) on.pan(...pans[event.key])
    else if (event.key in zooms) on.zoom(zooms[event.key])
    else if (!on.key(event.key)) return
    else {
      event.preventDefault()
      return
    }
    event.preventDefault()
    on.key("moved")
  }
}

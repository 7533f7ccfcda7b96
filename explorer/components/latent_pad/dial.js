// A slider for one direction: pointer, wheel, keys; double click takes its edit back.
const REACH = 4 // prior standard deviations to either side, at least
const FARTHEST = 12
const STEP = 0.1
const FINE = 0.01
const COARSE = 1
const GRIP = 14 // pixels around the thumb that do not make it jump

function reachOf(...coordinates) {
  return Math.min(FARTHEST, Math.max(REACH, ...coordinates.map(value => Math.ceil(Math.abs(value) - 1e-6))))
}

// Return the coordinate that a key asks for, or null.
function keyed(event, coordinate, more, less) {
  const step = event.shiftKey ? FINE : STEP
  const steps = { [more]: step, [less]: -step, PageUp: COARSE, PageDown: -COARSE }
  if (event.ctrlKey || event.metaKey || event.altKey) return null
  if (event.key === "Home") return 0
  return event.key in steps ? clamp(coordinate + steps[event.key], -FARTHEST, FARTHEST) : null
}

function wheeled(event) {
  return -Math.sign(event.deltaY || event.deltaX) * (event.shiftKey ? FINE : STEP)
}

class Dial {
  // on: { start(), move(coordinate, stamp), end(), nudge(coordinate, stamp), reset() }
  constructor(on) {
    this.node = make("div", "dial", { tabIndex: 0 })
    this.node.setAttribute("role", "slider")
    this.name = make("span", "name")
    this.detail = make("span", "detail")
    this.track = make("span", "track")
    this.from = makeCarry(make("i", "from"))
    this.bar = make("i", "bar")
    this.thumb = makeCarry(make("i", "thumb"))
    this.track.append(make("i", "rail"), make("i", "zero"), this.bar, this.from, this.thumb)
    this.value = new Text()
    const value = make("span", "value")
    value.append(make("span", "number"))
    value.firstChild.append(this.value)
    const words = make("span", "words")
    words.append(this.name, this.detail)
    this.node.append(words, this.track, value)
    this.coordinate = 0
    this.reach = REACH
    this.#listen(on)
  }

  #listen(on) {
    let raw = 0
    let before = 0
    let width = 1 // read once: reading it after a change would make the browser lay out the page at once
    this.held = trackPointer(this.track, {
      start: event => {
        const box = this.track.getBoundingClientRect()
        const at = event.clientX - box.left
        const thumb = ((this.coordinate / this.reach + 1) / 2) * box.width
        before = event.clientX
        width = box.width
        raw = this.coordinate
        on.start()
        if (Math.abs(at - thumb) > GRIP) {
          raw = (2 * clamp(at / box.width, 0, 1) - 1) * this.reach
          on.move(raw, event.timeStamp)
        }
      },
      move: event => {
        const scale = (2 * this.reach) / width / (event.shiftKey ? 5 : 1)
        raw += (event.clientX - before) * scale
        before = event.clientX
        on.move(clamp(raw, -this.reach, this.reach), event.timeStamp)
      },
      end: () => on.end(),
    })
    this.node.addEventListener("keydown", event => {
      const vertical = { ArrowUp: "ArrowRight", ArrowDown: "ArrowLeft" }[event.key]
      const key = vertical ? { key: vertical, shiftKey: event.shiftKey } : event
      const to = keyed(key, this.coordinate, "ArrowRight", "ArrowLeft")
      if (to !== null) on.nudge(to, event.timeStamp)
      else if (event.key === "Delete" || event.key === "Backspace") on.reset()
      else return
      event.preventDefault()
    })
    // Only where the person is at work already: the page scrolls everywhere else.
    this.node.addEventListener(
      "wheel",
      event => {
        if (event.ctrlKey || !this.node.matches(":focus")) return
        event.preventDefault()
        on.nudge(clamp(this.coordinate + wheeled(event), -FARTHEST, FARTHEST), event.timeStamp)
      },
      { passive: false },
    )
    this.node.addEventListener("dblclick", () => on.reset())
  }

  describe(name, detail, hint) {
    this.name.textContent = name
    this.detail.textContent = detail
    this.node.firstChild.title = hint ? `${name}: ${hint}` : name
    this.node.setAttribute("aria-label", detail ? `${name}, ${detail}` : name)
  }

  // from: where the point was before all edits; set: whether one of them is of this direction.
  show(coordinate, from, set, active) {
    const shown = [coordinate, from, set, active, this.held()].join()
    if (shown === this.shown) return
    this.shown = shown
    this.coordinate = coordinate
    if (!this.held()) this.reach = reachOf(coordinate)
    const share = value => clamp(value / this.reach, -1, 1)
    this.thumb.at(share(coordinate) / 2)
    this.from.at(share(from) / 2)
    this.bar.style.transform = `scaleX(${share(coordinate)})`
    const text = signed(coordinate)
    this.value.data = text
    this.node.classList.toggle("edited", set && Math.abs(coordinate - from) > 0.005)
    this.node.classList.toggle("active", active)
    this.node.setAttribute("aria-valuemin", String(-this.reach))
    this.node.setAttribute("aria-valuemax", String(this.reach))
    this.node.setAttribute("aria-valuenow", coordinate.toFixed(2))
    this.node.setAttribute("aria-valuetext", text)
  }
}

// The sliders of all directions: the first ones at hand, the others behind a fold.
class Dials {
  // on(k): what the slider of direction k reports to, see Dial
  constructor(on) {
    this.on = on
    this.list = []
    this.title = make("summary")
    this.rest = make("details", "rest")
    this.boxes = [make("div", "dials"), make("div", "dials")]
    this.rest.append(this.title, this.boxes[1])
    this.nodes = [this.boxes[0], this.rest]
  }

  describe({ names, details, hints, shown }, more) {
    if (this.list.length !== names.length || this.shown !== shown) {
      this.shown = shown
      this.list = names.map((_, k) => new Dial(this.on(k)))
      const nodes = this.list.map(dial => dial.node)
      this.boxes[0].replaceChildren(...nodes.slice(0, shown))
      this.boxes[1].replaceChildren(...nodes.slice(shown))
      this.rest.hidden = names.length <= shown
    }
    this.title.textContent = fill(more, { n: names.length - shown })
    this.list.forEach((dial, k) => dial.describe(names[k], details[k], hints[k]))
  }
}

// The colours of a scale, and two handles that leave out the points whose values lie beyond them. A handle at its end of
// the scale leaves out nothing: the last colours stand for all that lies further out, too.
const RANGE_STEPS = 100 // that a key makes of the scale
const RANGE_PAGE = 10 // steps that a larger key takes
const SCALE_STEPS = 10 // colours of the scale's picture

class Range {
  // onchange({ low, high }): the values that stay; null: all.
  constructor(onchange) {
    this.node = make("div", "range")
    this.bar = make("i", "ramp")
    this.veils = [make("i", "veil"), make("i", "veil")]
    this.handles = [make("i", "handle", { tabIndex: 0 }), make("i", "handle", { tabIndex: 0 })]
    this.ends = [make("span", "end"), make("span", "end")]
    const track = make("div", "scale")
    track.append(this.bar, ...this.veils, ...this.handles)
    this.node.append(this.ends[0], track, this.ends[1])
    this.onchange = onchange
    this.#listen(track)
  }

  #listen(track) {
    let box = null
    let which = 0
    const share = event => clamp((event.clientX - box.left) / box.width, 0, 1)
    trackPointer(track, {
      start: event => {
        box = track.getBoundingClientRect()
        const at = share(event)
        const [from, to] = this.shares
        which = at < from || (at <= to && at - from < to - at) ? 0 : 1
        this.handles[which].focus({ preventScroll: true })
        this.#move(which, at)
      },
      move: event => this.#move(which, share(event)),
      end: () => {},
    })
    track.addEventListener("mousedown", event => event.preventDefault()) // it would take the focus from the handle
    this.handles.forEach((handle, i) => {
      handle.setAttribute("role", "slider")
      handle.addEventListener("keydown", event => {
        const at = Math.round(RANGE_STEPS * this.shares[i])
        const to = rangeKey(event, at)
        if (to === undefined) return
        event.preventDefault()
        this.#move(i, to / RANGE_STEPS)
      })
    })
  }

  // scale: { low, high, title }; colours: from low to high; texts: { least, most, less, more }.
  describe({ low, high, title }, colours, texts) {
    Object.assign(this, { low, high, texts })
    const steps = Array.from({ length: SCALE_STEPS }, (_, i) =>
      toCss(colours[Math.round((i * (colours.length - 1)) / (SCALE_STEPS - 1))]),
    )
    this.bar.style.background = `linear-gradient(to right, ${steps.join(", ")})`
    const names = [texts.least, texts.most]
    this.handles.forEach((handle, i) => handle.setAttribute("aria-label", fill(names[i], { name: title })))
  }

  // Stand where a filter says.
  put(filter) {
    const share = value => clamp((value - this.low) / (this.high - this.low || 1), 0, 1)
    this.shares = filter ? [share(filter.low), share(filter.high)] : [0, 1]
    const [from, to] = this.shares
    this.veils[0].style.width = `${100 * from}%`
    this.veils[1].style.width = `${100 * (1 - to)}%`
    const values = this.shares.map(one => this.#value(one))
    this.handles.forEach((handle, i) => {
      const text = short(values[i])
      const beyond = this.shares[i] === i && fill(i ? this.texts.more : this.texts.less, { value: text })
      handle.style.left = `${100 * this.shares[i]}%`
      const range = i ? [values[0], this.high] : [this.low, values[1]]
      const said = { valuemin: range[0], valuemax: range[1], valuenow: values[i], valuetext: beyond || text }
      for (const [name, value] of Object.entries(said)) handle.setAttribute(`aria-${name}`, value)
      this.ends[i].textContent = text
    })
  }

  #value(share) {
    return this.low + share * (this.high - this.low)
  }

  #move(which, share) {
    const shares = [...this.shares]
    shares[which] = which ? Math.max(share, shares[0]) : Math.min(share, shares[1])
    if (shares[which] === this.shares[which]) return
    const [from, to] = shares
    const low = from > 0 ? this.#value(from) : -Infinity
    const high = to < 1 ? this.#value(to) : Infinity
    this.onchange(from > 0 || to < 1 ? { low, high } : null)
  }
}

// Return the step that a key leads to, undefined for other keys.
function rangeKey({ key }, at) {
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: RANGE_PAGE, PageDown: -RANGE_PAGE }
  const ends = { Home: 0, End: RANGE_STEPS }
  return key in steps ? clamp(at + steps[key], 0, RANGE_STEPS) : ends[key]
}

// Thousands of points over a plane, coloured by what they are.

// Ten colours on a dark ground, after Paul Tol's "light" and "bright" schemes (SRON/EPS/TN/09-002): people with
// deficient colour vision can tell them apart as far as ten can be. Names in the plane and the legend, which shows one
// group alone, tell the rest.
const COLOURS = [
  "#a7a0ff", "#ff9aa8", "#5fd38a", "#f2dc7a", "#8fd8ff", "#e66aa8", "#5fe0d0", "#c6c64a", "#e6a0e0", "#d4d8dd",
] // prettier-ignore
const GROUND = "#14181d"
const DIMMED = 0.42 // pictures under points
const FADED = 0.06
const LABELLED = 12 // groups whose names stand in the plane, at most

function colourOf(group) {
  return COLOURS[group % COLOURS.length]
}

class Cloud {
  // on: { change() } when other points are to be shown
  constructor(on) {
    this.canvas = make("canvas", "cloud")
    this.legend = make("div", "legend")
    this.only = null
    this.on = on
  }

  describe(data, texts) {
    const names = data?.names ?? []
    const key = JSON.stringify(names)
    this.places = data && decodeFloats(data.places)
    this.groups = data && decodeBytes(data.groups)
    this.names = names
    if (this.key === key) return
    this.key = key
    this.only = null
    this.chips = names.map((name, group) => {
      const chip = make("button", "chip", { type: "button", title: fill(texts.only, { name }) })
      chip.setAttribute("aria-pressed", "false")
      chip.append(make("i"), document.createTextNode(name))
      chip.firstChild.style.background = colourOf(group)
      chip.addEventListener("click", () => this.#choose(group))
      return chip
    })
    this.legend.replaceChildren(...this.chips)
    this.legend.hidden = names.length < 2
  }

  #choose(group) {
    this.only = this.only === group ? null : group
    this.chips.forEach((chip, i) => chip.setAttribute("aria-pressed", String(i === this.only)))
    this.on.change()
  }

  // place: maps a coordinate to a share of the side; side: in CSS pixels.
  draw(place, side) {
    const ratio = window.devicePixelRatio || 1
    const pixels = Math.round(side * ratio)
    if (this.canvas.width !== pixels) this.canvas.width = this.canvas.height = pixels
    const context = this.canvas.getContext("2d")
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, side, side)
    if (!this.places) return
    const radius = (this.groups.length > 4000 ? 1.7 : 2.3) * clamp(side / 540, 0.65, 1)
    const sums = this.names.map(() => [0, 0, 0])
    const draw = (wanted, alpha) => {
      context.globalAlpha = alpha
      for (let i = 0; i < this.groups.length; i++) {
        const group = this.groups[i]
        if (!wanted(group)) continue
        const x = place(this.places[2 * i])
        const y = 1 - place(this.places[2 * i + 1])
        if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1)) continue
        sums[group][0] += x
        sums[group][1] += y
        sums[group][2] += 1
        context.fillStyle = colourOf(group)
        context.beginPath()
        context.arc(x * side, y * side, radius, 0, 2 * Math.PI)
        context.fill()
      }
    }
    if (this.only === null) {
      draw(() => true, 0.85)
    } else {
      draw(group => group !== this.only, FADED)
      draw(group => group === this.only, 0.95)
    }
    this.#name(context, sums, side)
  }

  // Names in the plane: colour alone does not tell ten groups apart for everybody.
  #name(context, sums, side) {
    if (this.names.length < 2 || this.names.length > LABELLED) return
    context.globalAlpha = 1
    context.font = `700 14px ${getComputedStyle(this.legend).fontFamily}`
    context.textAlign = "center"
    context.textBaseline = "middle"
    context.lineJoin = "round"
    context.lineWidth = 5
    context.strokeStyle = GROUND
    context.fillStyle = "#fff"
    sums.forEach(([x, y, n], group) => {
      if (!n || (this.only !== null && this.only !== group)) return
      const half = context.measureText(this.names[group]).width / 2 + 4
      const left = clamp((x / n) * side, half, side - half)
      context.strokeText(this.names[group], left, (y / n) * side)
      context.fillText(this.names[group], left, (y / n) * side)
    })
  }
}

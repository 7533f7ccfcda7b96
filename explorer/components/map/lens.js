// What is under the pointer: a point's picture and what its latent decodes to, or, between points, what lies there.
const LENS_PICTURE = 112 // CSS pixels of a picture, at most
const LENS_SHARE = 0.24 // of the map's width, at most
const LENS_GAP = 16 // between the pointer and the lens

class Lens {
  constructor() {
    this.node = make("div", "lens", { hidden: true })
    this.row = make("div", "shots")
    this.first = this.#shot()
    this.second = this.#shot()
    this.row.append(this.first.node, this.second.node)
    this.title = make("strong")
    this.words = make("span", "words")
    this.meter = make("i", "meter")
    this.meter.append(make("b"))
    this.node.append(this.row, this.title, this.words, this.meter)
  }

  #shot() {
    const node = make("figure")
    const canvas = make("canvas")
    const caption = make("figcaption")
    node.append(canvas, caption)
    return { node, canvas, caption, context: canvas.getContext("2d") }
  }

  // Make pictures as large as the room allows, in whole multiples of their pixels.
  fit([height, width], room) {
    const times = Math.max(1, Math.floor(Math.min(LENS_PICTURE, LENS_SHARE * room) / Math.max(height, width)))
    for (const { canvas } of [this.first, this.second]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
      Object.assign(canvas.style, { width: `${times * width}px`, height: `${times * height}px` })
    }
  }

  // first, second: captions of the pictures, "" for none; reliability: share in [0, 1], or null for a point.
  describe({ first, second, title, words, reliability = null }) {
    for (const [shot, caption] of [[this.first, first], [this.second, second]]) {
      shot.node.hidden = !caption
      if (shot.caption.textContent !== caption) shot.caption.textContent = caption
    }
    this.title.textContent = title
    this.words.textContent = words
    this.meter.hidden = reliability === null
    if (reliability !== null) this.meter.firstChild.style.width = `${Math.round(100 * reliability)}%`
  }

  // Until a picture comes, the one of the place before would be a wrong one.
  clear(shot) {
    shot.context.clearRect(0, 0, shot.canvas.width, shot.canvas.height)
    delete shot.canvas.dataset.of
  }

  // Stand beside a place of the window, wherever there is room.
  stand(left, top, width, height) {
    this.node.hidden = false
    const [wide, tall] = [this.node.offsetWidth, this.node.offsetHeight]
    const beside = (at, size, room) => (at + LENS_GAP + size <= room ? at + LENS_GAP : Math.max(0, at - LENS_GAP - size))
    this.node.style.transform = `translate(${beside(left, wide, width)}px, ${beside(top, tall, height)}px)`
  }

  hide() {
    this.node.hidden = true
  }
}

// The reels of a film as rows: some frames of each at even distances, between what it starts from and what it ends at.
// This file stands between scrub.js and player.js, in the same module.
const TILE = 44 // CSS pixels of a frame, about

class Rows {
  // seek(frame) is called for each place of a row that is clicked or dragged to.
  constructor(seek) {
    this.node = make("div", "rows", { hidden: true })
    this.items = []
    this.seek = seek
    this.shown = 0 // frames in a row
  }

  describe(data) {
    this.data = data
    const { reels, ends, texts } = data
    this.node.hidden = !ends.length
    if (this.items.length !== reels.length) {
      this.items = reels.map(() => this.#make())
      this.node.replaceChildren(...this.items.map(item => item.node))
    }
    this.items.forEach(({ caption, ends: [start, end], strip }, i) => {
      caption.textContent = reels[i].name
      start.setAttribute("aria-label", texts.start)
      end.setAttribute("aria-label", texts.end)
      strip.setAttribute("aria-label", fill(texts.row, { name: reels[i].name }))
    })
  }

  #make() {
    const node = make("figure", "reel")
    const caption = make("figcaption")
    const [start, strip, end] = ["end", "strip", "end"].map(kind => make("canvas", kind))
    for (const canvas of [start, strip, end]) canvas.setAttribute("role", "img")
    const marker = make("i", "marker")
    const track = make("div", "frames")
    track.append(strip, marker)
    const seek = event => {
      const box = strip.getBoundingClientRect()
      const cell = clamp(((event.clientX - box.left) / box.width) * this.shown - 0.5, 0, this.shown - 1)
      this.seek(Math.round((cell / Math.max(1, this.shown - 1)) * (this.data.count - 1)))
    }
    trackPointer(track, { start: seek, move: seek, end: () => {} })
    const line = make("div", "line")
    line.append(start, track, end)
    node.append(caption, line)
    return { node, caption, ends: [start, end], strip, marker }
  }

  draw(sheets, ends) {
    this.sheets = sheets
    if (this.node.hidden) return
    const [width, height] = this.data.size
    this.items.forEach(item => {
      item.ends.forEach((canvas, i) => {
        Object.assign(canvas, { width, height })
        canvas.getContext("2d").drawImage(ends[i], 0, 0)
      })
    })
    this.#drawStrips()
  }

  #drawStrips() {
    const { size: [width, height], columns, count } = this.data
    this.items.forEach(({ strip }, i) => {
      if (!this.sheets?.[i] || !this.shown) return
      Object.assign(strip, { width: width * this.shown, height })
      const context = strip.getContext("2d")
      for (let cell = 0; cell < this.shown; cell++) {
        const frame = Math.round((cell / Math.max(1, this.shown - 1)) * (count - 1))
        const x = (frame % columns) * width
        const y = Math.floor(frame / columns) * height
        context.drawImage(this.sheets[i], x, y, width, height, cell * width, 0, width, height)
      }
    })
  }

  fit(width) {
    if (this.node.hidden || !width) return
    const [across, down] = this.data.size
    const ratio = window.devicePixelRatio || 1
    const tile = (Math.max(1, Math.round((TILE * ratio) / across)) * across) / ratio
    const room = width - this.items[0].caption.offsetWidth - 2 * (tile + 21)
    const shown = clamp(Math.floor(room / tile), 2, this.data.count)
    this.node.style.setProperty("--tile", `${tile}px`)
    this.node.style.setProperty("--tall", `${(tile * down) / across}px`)
    this.node.style.setProperty("--strip", `${tile * shown}px`)
    if (shown === this.shown) return
    this.shown = shown
    this.#drawStrips()
  }

  mark(frame) {
    const last = Math.max(1, this.data.count - 1)
    const at = ((frame / last) * (this.shown - 1) + 0.5) / this.shown
    for (const { marker } of this.items) marker.style.left = `${100 * at}%`
  }
}

// The newest picture in each frame, from a stream whose replies come as they come. Of two that come before one frame,
// the second replaces the first if it is old already. A young one waits for the next frame, in which it is shown if
// nothing newer comes in time, so that fast models have a picture of its own for nearly each.
const YOUNG_MS = 8 // after the pointer's event: half a frame
const HOLD_MS = 12 // of a frame's 17, in which a newer picture may come
const KEPT_SAMPLES = 2048

class Pace {
  // show(reply) draws it; name: of the list on window.latentExplorer that benchmarks read: an entry for each frame with
  // a new picture, from the time of the pointer's event to that frame.
  constructor(show, name = "samples") {
    this.show = show
    this.name = name
    this.held = null // a reply that waits for the next frame
    this.unseen = null // time of the event whose picture is drawn, but no frame has shown yet
    this.frame = 0 // that is asked for
  }

  // reply.tag.stamp: time of the event that it answers; null if it answers none, and need not wait.
  take(reply) {
    this.drop()
    const { stamp } = reply.tag
    if (stamp !== null && this.unseen !== null && performance.now() - stamp < YOUNG_MS) {
      this.held = reply
      return
    }
    this.show(reply)
    this.unseen = stamp
    if (stamp !== null) this.frame ||= requestAnimationFrame(() => this.#sample())
  }

  drop() {
    clearTimeout(this.holding)
    this.held = null
  }

  #sample() {
    this.frame = 0
    const samples = (window.latentExplorer[this.name] ??= [])
    if (this.unseen !== null) samples.push([this.unseen, performance.now()])
    this.unseen = null
    if (this.held) this.holding = setTimeout(() => this.take(this.held), HOLD_MS)
    if (samples.length > KEPT_SAMPLES) samples.splice(0, KEPT_SAMPLES / 2)
  }
}

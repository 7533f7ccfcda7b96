// What a map looked like when it was left: kept while the tab lives, so that a page that is opened again goes on there.
const MEMORY = "latent-explorer map "

// Return what was kept of a map, {} if nothing was.
function recall(key) {
  try {
    return JSON.parse(sessionStorage.getItem(MEMORY + key)) ?? {}
  } catch {
    return {} // no storage, or not what was written
  }
}

function remember(key, what) {
  try {
    sessionStorage.setItem(MEMORY + key, JSON.stringify(what))
  } catch {
    // Without storage, or room in it, the page does without.
  }
}

// Counts down to the end of an approval, and lets nobody press a button after it. The page works without it: the
// registry refuses what comes too late. The time is the server's: `data-left` is what was left when the page was made.
for (const place of document.querySelectorAll("[data-left]")) {
  const began = performance.now();
  const left = () => Number(place.dataset.left) - (performance.now() - began) / 1000;
  const show = () => {
    const seconds = Math.max(0, Math.ceil(left()));
    const minutes = Math.floor(seconds / 60);
    place.textContent = seconds ? `${minutes ? `${minutes} min ` : ""}${seconds % 60} s left` : "its time is over";
    if (seconds) return;
    clearInterval(timer);
    for (const button of document.querySelectorAll("form[data-ends] button")) button.disabled = true;
    place.setAttribute("role", "status");
  };
  const timer = setInterval(show, 1000);
  show();
}

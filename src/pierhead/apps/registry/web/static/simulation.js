// Shows how far a simulation has come, and the page again once it is done. The page works without it: by its link.
const bar = document.querySelector("progress[data-of]");
const look = async () => {
  const answer = await fetch(bar.dataset.of, { headers: { accept: "application/json" } });
  const view = answer.ok ? await answer.json() : { is_running: false };
  if (!view.is_running) return location.reload();
  if (view.total) { bar.max = view.total; bar.value = view.done; }
  document.querySelector("[data-told]").textContent = `${view.done} of ${view.total} decisions`;
  setTimeout(look, 1000);
};
if (bar) setTimeout(look, 500);

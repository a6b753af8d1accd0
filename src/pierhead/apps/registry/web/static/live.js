// Keeps a page of approvals as it is now: listens while it is seen, and takes what changed from the page itself.
const said = document.getElementById("live-said");
let source;
const part = () => document.getElementById("live");
const open = (at) => [...at.querySelectorAll("details")].map((fold) => fold.open);
const swap = (fresh) => {
  const old = part();
  const folds = open(old);
  const focused = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
  old.replaceWith(document.adoptNode(fresh.getElementById("live")));
  part().querySelectorAll("details").forEach((fold, place) => (fold.open = folds[place] ?? false));
  if (focused) part().querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  document.querySelector("header nav").replaceWith(document.adoptNode(fresh.querySelector("header nav")));
  document.title = fresh.title;
  said.textContent = part().querySelector("h1").textContent;
};
const tell = () => {
  const link = document.createElement("a");
  link.href = location.pathname;
  link.textContent = "Show it as it is now.";
  said.replaceChildren("This changed since you opened it. ", link);
};
const renew = async () => {
  if (part().dataset.only) return tell();
  const answer = await fetch(location.href);
  if (!answer.ok || answer.redirected) return;
  swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
};
const listen = () => {
  source?.close();
  if (document.hidden) return;
  source = new EventSource(part().dataset.live);
  source.addEventListener("mark", (event) => event.data !== part().dataset.mark && renew());
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) said.textContent = "Reload this page to see what changed.";
  });
};
document.addEventListener("visibilitychange", listen);
listen();

// Turns notifications on in this browser: asks the person, binds an address to our key, and sends the form.
const tell = document.getElementById("tell");
const said = document.getElementById("tell-said");
const text = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const bound = async () => {
  const worker = await navigator.serviceWorker.register("/-/static/worker.js");
  const before = await worker.pushManager.getSubscription();
  if (before && text(before.options.applicationServerKey) !== tell.dataset.key) await before.unsubscribe();
  return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: tell.dataset.key });
};
const send = async () => {
  if ((await Notification.requestPermission()) !== "granted") throw new Error("your browser does not allow it");
  const found = await bound();
  tell.elements.address.value = found.endpoint;
  tell.elements.key.value = text(found.getKey("p256dh"));
  tell.elements.secret.value = text(found.getKey("auth"));
  tell.submit();
};
if ("PushManager" in window && "serviceWorker" in navigator) {
  tell.hidden = false;
  tell.addEventListener("submit", (event) => {
    event.preventDefault();
    said.textContent = "Asking your browser…";
    send().catch((failed) => {
      said.textContent = `This browser cannot be told: ${failed.message}.`;
    });
  });
} else {
  said.textContent = "This browser cannot be told of approvals.";
}

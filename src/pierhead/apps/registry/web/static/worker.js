// Shows what was pushed, and opens its page. It sees no page and no request: its scope is this folder.
self.addEventListener("push", (event) => {
  const { body, path, tag } = event.data.json();
  event.waitUntil(self.registration.showNotification("Pierhead", { body, tag, data: path, icon: "mark.svg" }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const target = new URL(event.notification.data, self.location.origin);
  if (target.origin === self.location.origin) event.waitUntil(self.clients.openWindow(target.href));
});

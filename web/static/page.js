// The page of Valor: asks over POST /api/chat, shows promises and deliveries as they come, and how the parts are.

const HEALTH_EVERY_MS = 5000;
const OPEN = new Set(["pending", "in_progress", "waiting"]);
const find = (id) => document.getElementById(id);
const shown = new Map(); // messages of ours, by chat and number
const asked = new Set(); // questions whose answer streams into its own place

function chatOf(workspace) {
  return workspace ? `page:${workspace.replace(/[^\w.-]/g, "-").slice(0, 48)}` : "page";
}

async function getJson(path, options = {}) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok && path !== "/health") throw new Error(body.error ?? answer.statusText);
  return body;
}

// Messages

function addMessage(text, { own = false, fault = false, growing = false } = {}) {
  const item = find("message").content.firstElementChild.cloneNode(true);
  item.classList.toggle("own", own);
  item.classList.toggle("fault", fault);
  item.classList.toggle("growing", growing);
  item.querySelector(".who").textContent = own ? "You" : "Valor";
  fill(item, text);
  find("log").append(item);
  scrollToEnd();
  return item;
}

// Text as it is, but for fenced code, which keeps its columns.
function fill(item, text) {
  const pieces = text.split(/^```[^\n]*\n?/m).map((piece, index) => {
    const element = document.createElement(index % 2 ? "pre" : "span");
    element.textContent = index % 2 ? piece.replace(/\n$/, "") : piece.trim();
    return element;
  });
  item.querySelector(".said").replaceChildren(...pieces.filter((piece) => piece.textContent));
}

function scrollToEnd() {
  const log = find("log");
  log.scrollTop = log.scrollHeight;
}

async function loadMessages() {
  const chat = chatOf(find("workspace").value);
  const lines = await getJson(`/api/messages?chat=${encodeURIComponent(chat)}`);
  find("log").replaceChildren();
  shown.clear();
  for (const line of lines) {
    shown.set(`${chat}/${line.message_id}`, addMessage(line.text, { own: !line.own }));
  }
}

async function* eventsOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = block.split("\n").map((line) => line.split(/: ?(.*)/s, 2));
      const name = fields.find(([field]) => field === "event")?.[1];
      const data = fields.filter(([field]) => field === "data").map(([, text]) => text).join("\n");
      if (name) yield [name, JSON.parse(data)];
    }
  }
}

async function ask(text) {
  const workspace = find("workspace").value;
  addMessage(text, { own: true });
  const item = addMessage("", { growing: true });
  try {
    const answer = await fetch("/api/chat", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream", "idempotency-key": newKey() },
      body: JSON.stringify({ text, chat: chatOf(workspace), workspace: workspace || null }),
    });
    if (!answer.ok) throw new Error((await answer.json()).error);
    let isWhole = false;
    for await (const [name, data] of eventsOf(answer)) {
      if (name === "accepted") asked.add(data.message_id);
      if (name === "text") fill(item, data.text);
      if (name === "promise") showPromise(data);
      if (name === "done") fill(item, data.reply || "(no reply)");
      if (name === "done") data.promises.forEach(showPromise);
      if (name === "error") throw new Error(data.id ? `${data.error} (${data.id})` : data.error);
      isWhole ||= name === "done";
      scrollToEnd();
    }
    if (!isWhole) throw new Error("The connection broke; the answer will be here when the page is loaded again.");
  } catch (error) {
    item.classList.add("fault");
    fill(item, error.message);
  } finally {
    item.classList.remove("growing");
  }
}

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Promises

function showPromise(promise) {
  const id = `promise-${promise.id}`;
  let item = find(id);
  if (!item) {
    item = find("promise").content.firstElementChild.cloneNode(true);
    item.id = id;
    item.querySelector(".cancel").addEventListener("click", () => cancel(promise.id));
    find("promises").prepend(item);
  }
  item.dataset.status = promise.status;
  item.querySelector(".number").textContent = `#${promise.id}`;
  item.querySelector(".status").textContent = promise.status.replace("_", " ");
  item.querySelector(".task").textContent = promise.task_description;
  item.querySelector(".news").textContent = promise.error_message ?? promise.result_summary ?? promise.progress ?? "";
  const button = item.querySelector(".cancel");
  button.hidden = !OPEN.has(promise.status);
  button.setAttribute("aria-label", `Cancel promise ${promise.id}`);
  find("none").hidden = true;
}

async function cancel(id) {
  try {
    showPromise(await getJson(`/api/promises/${id}/cancel`, { method: "POST" }));
  } catch (error) {
    addMessage(error.message, { fault: true });
  }
}

async function loadPromises() {
  (await getJson("/api/promises")).reverse().forEach(showPromise);
}

// Health

function showHealth(health) {
  find("light").dataset.status = health.status;
  find("overall").textContent = health.status;
  const lines = Object.entries(health.components).flatMap(([name, part]) => {
    const term = document.createElement("dt");
    term.textContent = `${name}: ${part.status}`;
    const sentence = document.createElement("dd");
    sentence.textContent = part.mend ? `${part.sentence} → ${part.mend}` : part.sentence;
    return [term, sentence];
  });
  find("parts").replaceChildren(...lines);
  showNotice(health.components);
}

function showNotice({ model, worker }) {
  const notice = find("model");
  const sentences = [model?.sentence, worker && worker.status !== "healthy" ? worker.sentence : null].filter(Boolean);
  notice.hidden = sentences.length === 0;
  notice.textContent = sentences.join(" ");
  notice.toggleAttribute("data-offline", /offline/i.test(model?.sentence) || sentences.length > 1);
}

async function watchHealth() {
  try {
    showHealth(await getJson("/health"));
  } catch {
    find("light").dataset.status = "gone";
    find("overall").textContent = "no answer from the server";
  }
  setTimeout(watchHealth, HEALTH_EVERY_MS);
}

// The start

function watchChanges() {
  const changes = new EventSource("/api/events");
  changes.addEventListener("open", () => loadPromises().catch(showFault));
  changes.addEventListener("promise", (event) => showPromise(JSON.parse(event.data)));
  changes.addEventListener("delivery", (event) => showDelivery(JSON.parse(event.data)));
}

function showDelivery(delivery) {
  const key = `${delivery.chat}/${delivery.message_id}`;
  const isHere = delivery.chat === chatOf(find("workspace").value);
  if (!isHere || (delivery.kind === "answer" && asked.has(delivery.reply_to))) return;
  if (shown.has(key)) fill(shown.get(key), delivery.text);
  else shown.set(key, addMessage(delivery.text));
}

function showFault(error) {
  addMessage(error.message, { fault: true });
}

async function loadWorkspaces() {
  for (const name of await getJson("/api/workspaces")) find("workspace").append(new Option(name, name));
}

find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = find("text");
  const text = field.value.trim();
  if (!text) return;
  field.value = "";
  field.focus();
  ask(text);
});

find("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  find("ask").requestSubmit();
});

find("workspace").addEventListener("change", () => loadMessages().catch(showFault));
loadWorkspaces().catch(showFault);
loadMessages().catch(showFault);
watchChanges();
watchHealth();

/** The demo builder: from the form to a live element, and to the snippet that puts the same element elsewhere. */

import { chatNameProblem, orguuidProblem } from "/webchat/attributes.js";

const HOOKS = ["on_server_control_event", "page_control_hook"];
const TEXTS = ["orguuid", "chat_name", "chat_display_name", "pass_through_data", ...HOOKS];
const FLAGS = ["open_on_mount", "fullscreen_mode"];
const CHECKS = { orguuid: orguuidProblem, chat_name: chatNameProblem };
const CHAT_REFUSALS = new Set(["unknown_chat", "bad_name"]);
const WORD_MS = 2500;
const KEPT = "heimdall-demo-builder";

const form = document.getElementById("builder");
const stage = document.getElementById("stage");
const refreshed = document.getElementById("refreshed");

/** What the form says, as attributes of the element; empty ones are left out. */
function attributesOf(fields) {
  const attributes = {};
  for (const name of TEXTS) if (fields[name].value) attributes[name] = fields[name].value;
  for (const name of FLAGS) if (fields[name].checked) attributes[name] = "true";
  if (fields.mode.value !== "sticky") attributes.mode = fields.mode.value;
  return attributes;
}

function escapeAttribute(value) {
  return value.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}

function snippetOf(attributes) {
  const lines = Object.entries(attributes).map(([name, value]) => `\n  ${name}="${escapeAttribute(value)}"`);
  return `<script type="module" src="${location.origin}/widget.js"></script>\n`
    + `<stubber-webchat${lines.join("")}></stubber-webchat>`;
}

function showProblem(name, problem) {
  document.getElementById(`${name}-problem`).textContent = problem;
  if (problem) form.elements[name].setAttribute("aria-invalid", "true");
  else form.elements[name].removeAttribute("aria-invalid");
}

/** False if something is wrong; each problem stands at its field. */
function check() {
  const wrong = Object.entries(CHECKS).filter(([name, problemOf]) => {
    const problem = problemOf(form.elements[name].value.trim());
    showProblem(name, problem);
    return problem;
  });
  if (wrong.length) form.elements[wrong[0][0]].focus();
  return wrong.length === 0;
}

/** The chat as the form has it now: a new element, for attributes are read once, when it is put in. */
function rebuild() {
  const attributes = attributesOf(form.elements);
  const current = stage.querySelector("stubber-webchat");
  // Pass-through data is told once, when a session begins; so changed data need a new session to be seen.
  if (current && current.getAttribute("pass_through_data") !== (attributes.pass_through_data ?? null)) {
    current.forget();
  }
  const element = document.createElement("stubber-webchat");
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  current?.remove();
  stage.append(element);
  document.getElementById("snippet").textContent = snippetOf(attributes);
  document.getElementById("tap").textContent =
    `heimdall tap 'stubber.systems.notifications.webchat.org.${attributes.orguuid}.name.${attributes.chat_name}.*'`;
}

/** The fields as they were, so that a reload shows the same chat and not the usual one. */
function keepFields() {
  const values = [...TEXTS, "mode"].map((name) => [name, form.elements[name].value]);
  const flags = FLAGS.map((name) => [name, form.elements[name].checked]);
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ values, flags }));
  } catch {
    // Barred or full: the fields last as long as the page.
  }
}

function restoreFields() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? '{"values": [], "flags": []}');
    for (const [name, value] of kept.values) form.elements[name].value = value;
    for (const [name, isOn] of kept.flags) form.elements[name].checked = isOn;
  } catch {
    // Barred, or kept by another version of this page: the usual chat then.
  }
}

/** For the field on_server_control_event: what a stub told the page. */
globalThis.showControlEvent = (event) => {
  document.getElementById("control").textContent = `control event: ${JSON.stringify(event)}`;
};

/** For the field page_control_hook: what this page adds to each message. */
globalThis.addPageControl = (payload) => ({ ...payload, control_event: { page: location.pathname } });

/** A word that goes away again. */
function say(element, word, usual) {
  element.textContent = word;
  setTimeout(() => { element.textContent = usual; }, WORD_MS);
}

async function copy(event) {
  const button = event.currentTarget;
  try {
    await navigator.clipboard.writeText(document.getElementById("snippet").textContent);
    say(button, "Copied", "Copy");
  } catch {
    // No permission, or a page without https: select it, so that one keystroke is enough.
    getSelection().selectAllChildren(document.getElementById("snippet"));
    say(button, "Press Ctrl+C", "Copy");
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  refreshed.textContent = "";
  if (!check()) return;
  keepFields();
  rebuild();
  say(refreshed, "The chat and the snippet are up to date.", "");
});
document.getElementById("anew").addEventListener("click", () => {
  stage.querySelector("stubber-webchat")?.forget();
  if (check()) rebuild();
});
document.getElementById("copy").addEventListener("click", copy);
stage.addEventListener("stubber_webchat_refused", ({ detail }) => {
  if (CHAT_REFUSALS.has(detail.code)) showProblem("chat_name", detail.message);
});
restoreFields();
if (check()) rebuild();

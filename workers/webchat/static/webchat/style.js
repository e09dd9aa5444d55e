/**
 * The look of the widget. Pages theme it with --primary-color, --on-primary-color, --border-color, --text-color,
 * --background and --chat-height (of a chat that the page places), or through the parts host, launcher, panel, bar, log, composer. Light or dark follows the page's own
 * `color-scheme`, so the chat never turns dark on a page that does not.
 */

const CSS = `
:host { display: block; min-width: 0; } /* A wide message scrolls; it must not widen the page's own grid. */
:host([hidden]) { display: none; }

.host {
  --primary: var(--primary-color, light-dark(#3451d1, #4f6bed));
  --on-primary: var(--on-primary-color, #ffffff);
  --ground: var(--background, light-dark(#ffffff, #16181f));
  --text: var(--text-color, light-dark(#1b1e28, #e9ebf2));
  --line: var(--border-color, light-dark(#e3e6ee, #2c303b));
  --soft: color-mix(in srgb, var(--primary) 7%, color-mix(in srgb, var(--text) 4%, var(--ground)));
  --muted: color-mix(in srgb, var(--text) 68%, var(--ground));
  --accent: color-mix(in srgb, var(--primary) 78%, var(--text));
  --danger: light-dark(#b3261e, #ff9d94);
  --shadow: 0 1px 2px light-dark(rgb(13 18 38 / .08), rgb(0 0 0 / .4)),
    0 12px 40px light-dark(rgb(13 18 38 / .18), rgb(0 0 0 / .6));
  color: var(--text);
  font: 400 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  -webkit-text-size-adjust: 100%;
  text-align: start;
}
.host[data-mode="sticky"] { position: fixed; inset: auto 24px 24px auto; z-index: 2147483000; }
.host[data-mode="manual"] { display: block; }

*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
h2, p { margin: 0; }
button, textarea, input, select { font: inherit; color: inherit; letter-spacing: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.icon { display: block; width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 2;
  stroke-linecap: round; stroke-linejoin: round; }

.launcher {
  position: relative; display: grid; place-items: center; width: 60px; height: 60px; padding: 0; border: 0;
  border-radius: 50%; background: var(--primary); color: var(--on-primary); box-shadow: var(--shadow);
  transition: transform .18s ease;
}
.launcher:hover { transform: translateY(-2px) scale(1.03); }
.launcher:focus-visible { outline-offset: 4px; }
.launcher .icon { width: 28px; height: 28px; }
.badge {
  position: absolute; top: -4px; right: -4px; min-width: 22px; padding: 0 6px; border-radius: 11px;
  border: 2px solid var(--ground); background: #c62828; color: #fff; font-size: 12px; font-weight: 600; line-height: 18px;
}

.panel {
  display: flex; flex-direction: column; width: 384px; height: min(688px, calc(100dvh - 48px)); overflow: hidden;
  border: 1px solid var(--line); border-radius: 20px; background: var(--ground); box-shadow: var(--shadow);
  animation: rise .22s cubic-bezier(.2, .8, .3, 1);
}
.host[data-mode="manual"] .panel { width: 100%; max-width: 100%; height: var(--chat-height, 600px); box-shadow: none; }
.host[data-fullscreen]:has(.panel:not([hidden])) { position: fixed; inset: 0; z-index: 2147483000; }
.host[data-fullscreen] .panel { width: 100%; height: 100%; border: 0; border-radius: 0; }
.host[data-fullscreen] :is(.log, .composer, .switching) { padding-inline: max(20px, calc(50% - 380px)); }
@keyframes rise { from { opacity: 0; transform: translateY(12px) scale(.985); } }

.bar { display: flex; align-items: center; gap: 4px; padding: 14px 12px 14px 16px; border-bottom: 1px solid var(--line); }
.avatar {
  display: grid; place-items: center; flex: none; width: 40px; height: 40px; margin-inline-end: 8px;
  border-radius: 50%; background: color-mix(in srgb, var(--primary) 14%, var(--ground)); color: var(--accent);
}
.heading { flex: 1; min-width: 0; }
h2 { overflow: hidden; font-size: 16px; font-weight: 650; line-height: 1.3; text-overflow: ellipsis; white-space: nowrap; }
.status { display: flex; align-items: baseline; gap: 6px; min-height: 18px; color: var(--muted); font-size: 12.5px; line-height: 18px; }
.status:not(:empty)::before { content: ""; flex: none; width: 8px; height: 8px; border-radius: 50%; background: #8a90a2; }
[data-state="online"] .status::before { background: #2e9e5b; }
[data-state="offline"] .status::before { background: #d98a00; }
[data-state="connecting"] .status::before { background: #d98a00; animation: blink 1.2s ease-in-out infinite; }
[data-state="stopped"] .status::before { background: #c62828; }
@keyframes blink { 50% { opacity: .25; } }
.round {
  display: grid; place-items: center; flex: none; width: 38px; height: 38px; padding: 0; border: 0; border-radius: 10px;
  background: none; color: var(--muted);
}
.round[aria-pressed="true"] { background: var(--soft); color: var(--text); }
.round:hover { background: var(--soft); color: var(--text); }
.round .icon { width: 18px; height: 18px; }

.scroller { position: relative; flex: 1; min-height: 0; }
.log {
  display: flex; flex-direction: column; height: 100%; padding: 18px 16px 14px; overflow-y: auto;
  overscroll-behavior: contain; scrollbar-width: thin; scrollbar-color: var(--line) transparent;
}
.log:focus-visible { outline-offset: -3px; }
.latest {
  position: absolute; bottom: 10px; left: 50%; display: flex; align-items: center; gap: 6px; padding: 6px 14px;
  border: 1px solid var(--line); border-radius: 999px; background: var(--ground); box-shadow: var(--shadow);
  font-size: 13px; transform: translateX(-50%);
}
.latest .icon { width: 14px; height: 14px; }

.message { display: flex; flex-direction: column; align-items: flex-start; max-width: 86%; margin-top: 16px; }
.message:first-child { margin-top: auto; }
.message.follows { margin-top: 4px; }
.message[data-direction="from_visitor"] { align-self: flex-end; align-items: flex-end; }
.author { padding: 0 4px 4px; color: var(--muted); font-size: 12.5px; font-weight: 600; }
.message.follows .author, .message[data-direction="from_visitor"] .author {
  position: absolute; width: 1px; height: 1px; padding: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.body { max-width: 100%; padding: 9px 14px; border-radius: 18px; background: var(--soft); overflow-wrap: anywhere; }
.body-text { white-space: pre-wrap; }
[data-direction="to_visitor"] .body { border-start-start-radius: 6px; }
[data-direction="to_visitor"].followed .body { border-end-start-radius: 6px; }
[data-direction="from_visitor"] .body {
  border-end-end-radius: 6px; background: var(--primary); color: var(--on-primary);
}
[data-direction="from_visitor"].follows .body { border-start-end-radius: 6px; }
.message[data-state="failed"] .body { background: none; outline: 1px solid var(--danger); color: var(--text); }
.message[data-state="failed"] .state { color: var(--danger); }
.meta { display: flex; gap: 6px; padding: 4px 4px 0; color: var(--muted); font-size: 12px; line-height: 16px; }
.meta .state:not(:empty)::before { content: "· "; }
.message.followed[data-state="sent"] .meta { display: none; }
.warning {
  margin: auto 0; padding: 14px 16px; border: 1px solid var(--danger); border-radius: 14px; color: var(--danger);
  font-size: 14px; overflow-wrap: anywhere;
}
.message[data-state="deleted"] .body { background: none; outline: 1px solid var(--line); color: var(--muted); }
.note { margin: 18px auto 4px; padding: 0 16px; color: var(--muted); font-size: 13px; text-align: center; }

.event + .event { margin-top: 2px; }

.body > :first-child { margin-top: 0; }
.body > :last-child { margin-bottom: 0; }
.body :is(p, ul, ol, pre, blockquote, table) { margin: 0 0 8px; }
.body :is(h1, h2, h3, h4, h5, h6) { margin: 10px 0 6px; font-size: 1.05em; font-weight: 650; white-space: normal; }
.body :is(ul, ol) { padding-inline-start: 22px; }
.body a { color: var(--accent); text-underline-offset: 2px; }
[data-direction="from_visitor"] .body a { color: inherit; }
.body code { padding: 1px 5px; border-radius: 5px; background: color-mix(in srgb, var(--text) 9%, transparent); font-size: .9em; }
.body pre { padding: 10px 12px; overflow-x: auto; border-radius: 10px; background: color-mix(in srgb, var(--text) 7%, transparent); }
.body pre code { padding: 0; background: none; }
.body blockquote { padding-inline-start: 12px; border-inline-start: 3px solid var(--line); color: var(--muted); }
.body table { display: block; overflow-x: auto; border-collapse: collapse; }
.body :is(td, th) { padding: 4px 10px; border: 1px solid color-mix(in srgb, var(--text) 18%, transparent); text-align: start; }
.body img { max-width: 100%; border-radius: 10px; }

.typing { display: flex; gap: 5px; align-self: flex-start; margin-top: 16px; padding: 14px 16px; border-radius: 18px;
  border-start-start-radius: 6px; background: var(--soft); }
.typing i { width: 7px; height: 7px; border-radius: 50%; background: var(--muted); animation: hop 1.3s ease-in-out infinite; }
.typing i:nth-child(2) { animation-delay: .16s; }
.typing i:nth-child(3) { animation-delay: .32s; }
@keyframes hop { 0%, 60%, 100% { opacity: .45; transform: none; } 30% { opacity: 1; transform: translateY(-4px); } }

.composer { padding: 10px 14px 14px; }
.problem { padding: 0 4px; color: var(--danger); font-size: 13px; }
.problem:not(:empty) { padding-bottom: 6px; }
.field {
  display: flex; align-items: flex-end; gap: 6px; padding: 5px 5px 5px 14px; border-radius: 24px;
  border: 1px solid color-mix(in srgb, var(--text) 48%, var(--ground)); background: var(--ground);
}
.field:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.field:has(textarea:disabled) { opacity: .55; }
textarea {
  flex: 1; min-width: 0; height: 36px; padding: 7px 0; border: 0; outline: 0; background: none; resize: none;
  line-height: 22px; scrollbar-width: thin;
}
textarea:focus-visible { outline: 0; } /* The field around it shows the focus. */
textarea::placeholder { color: var(--muted); opacity: 1; }
.send {
  display: grid; place-items: center; flex: none; width: 36px; height: 36px; padding: 0; border: 0; border-radius: 50%;
  background: var(--primary); color: var(--on-primary); transition: opacity .15s;
}
.send:disabled { background: var(--soft); color: var(--muted); cursor: default; }
.send .icon { width: 18px; height: 18px; }

.switching { display: grid; gap: 6px; padding: 14px 16px; border-top: 1px solid var(--line); background: var(--soft); font-size: 14px; }
.switching label { margin-top: 4px; color: var(--muted); font-size: 13px; }
.switching :is(input, select) {
  width: 100%; padding: 8px 12px; border-radius: 10px; background: var(--ground);
  border: 1px solid color-mix(in srgb, var(--text) 48%, var(--ground));
}
.actions { display: flex; justify-content: flex-end; gap: 8px; margin-top: 8px; }
.actions button { padding: 8px 14px; border: 0; border-radius: 10px; }
.plain { background: none; }
.plain:hover { background: color-mix(in srgb, var(--text) 8%, transparent); }
.solid { background: var(--primary); color: var(--on-primary); font-weight: 600; }

@media (max-width: 480px) {
  .host[data-mode="sticky"] { inset: auto 16px 16px auto; }
  .host[data-mode="sticky"]:has(.panel:not([hidden])) { inset: 0; }
  .host[data-mode="sticky"] .panel { width: 100%; height: 100%; border: 0; border-radius: 0; }
  .host[data-mode="sticky"] .grow { display: none; }
  .composer { padding-bottom: max(14px, env(safe-area-inset-bottom)); }
  .round { width: 44px; height: 44px; }
  textarea { font-size: 16px; } /* Below 16 px a phone zooms into the page when the input gets the focus. */
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) {
  .body, .launcher, .send, .solid { border: 1px solid; }
}
`;

export const styleSheet = new CSSStyleSheet();
styleSheet.replaceSync(CSS);

// The console of the simulated giosg: what an agent sees and does, over the control plane of the same origin.

const TYPING_EVERY_MS = 3000;
const IDLE_AFTER_MS = 5000;

const byId = (id) => document.getElementById(id);
const [agentSelect, roomButton, chatList, log, composer, text, notice] = [
  'agent', 'room', 'chats', 'log', 'composer', 'text', 'notice',
].map(byId);

const state = { agents: [], rooms: [], chats: [] };
let typingAt = 0;
let idleTimer = 0;

async function ask(path, order) {
  const options = order === undefined ? {} : {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ wait: false, ...order }),
  };
  const answer = await fetch(path, options);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error ?? `the stand-in answered ${answer.status}`);
  return found;
}

async function tell(words, work) {
  try {
    await work();
    notice.textContent = words;
    return true;
  } catch (error) {
    notice.textContent = `That did not work: ${error.message}`;
    return false;
  }
}

const chosenId = () => decodeURIComponent(location.hash.slice(1));
const chosen = () => state.chats.find((chat) => chat.id === chosenId());
const agentId = () => agentSelect.value;
const isIn = (chat) => chat.memberships.some((one) => one.member_id === agentId() && one.is_participating);
const pathOf = (chat, what) => `/chats/${encodeURIComponent(chat.id)}/${what}`;
const act = (chat, what, order = {}) => ask(pathOf(chat, what), { agent_id: agentId(), ...order });
const clock = (moment) => new Date(moment).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

function stateOf(chat) {
  if (chat.is_ended) return 'ended';
  if (chat.is_waiting || chat.is_pending) return 'waiting for an agent';
  return chat.present_user_participant_count > 0 ? 'an agent is in' : 'nobody is in';
}

// Elements are kept by id, so that the focus and a screen reader's place survive a change.
function keep(parent, items, make, fill) {
  const known = new Map([...parent.children].map((element) => [element.dataset.id, element]));
  const wanted = items.map((item) => {
    const element = known.get(item.id) ?? make(item);
    element.dataset.id = item.id;
    fill(element, item);
    return element;
  });
  for (const [id, element] of known) if (!items.some((item) => item.id === id)) element.remove();
  wanted.forEach((element, place) => {
    if (parent.children[place] !== element) parent.insertBefore(element, parent.children[place] ?? null);
  });
}

function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function element(name, className, parent) {
  const made = document.createElement(name);
  made.className = className;
  parent?.append(made);
  return made;
}

function makeChat(chat) {
  const item = document.createElement('li');
  const button = element('button', '', item);
  button.type = 'button';
  for (const name of ['name', 'last', 'state']) element('span', name, button);
  button.addEventListener('click', () => {
    location.hash = encodeURIComponent(chat.id);
    byId('chat').focus();
  });
  return item;
}

function fillChat(item, chat) {
  const button = item.firstElementChild;
  const [name, last, where] = button.children;
  const written = chat.messages.filter((one) => one.type === 'msg');
  put(name, chat.visitor_name + (chat.origin === 'website' ? ' (website)' : ''));
  put(last, wordsOf(written.at(-1)));
  put(where, stateOf(chat));
  item.className = chat.is_waiting || chat.is_pending ? 'waiting' : '';
  button.setAttribute('aria-current', String(chat.id === chosenId()));
}

function wordsOf(message) {
  if (!message) return '';
  if (message.is_encrypted) return '(encrypted)';
  const attached = message.attachments.map((one) => [one.title, one.text].filter(Boolean).join(': '));
  return [message.message, ...attached].filter(Boolean).join('\n');
}

function makeMessage(message) {
  const item = element('li', message.type === 'msg' ? message.sender_type ?? 'event' : 'event');
  element('div', 'who', item);
  if (message.type === 'msg') element('div', 'text', item);
  return item;
}

function fillMessage(item, message) {
  const who = message.sender_public_name ?? 'giosg';
  const happened = { join: 'joined', leave: 'left', tag_created: `tagged it ${message.message}` }[message.type];
  const said = message.type === 'msg' ? '' : ` ${happened ?? `${message.type} ${wordsOf(message)}`}`;
  put(item.firstElementChild, `${who}${said}, ${clock(message.created_at)}`);
  if (message.type === 'msg') put(item.lastElementChild, wordsOf(message));
}

function showChat() {
  const chat = chosen();
  composer.hidden = !chat;
  put(byId('chat-title'), chat ? `Chat with ${chat.visitor_name}` : 'No chat chosen');
  const writes = chat?.memberships.some((one) => one.member_type === 'visitor' && one.composing_status !== 'idle');
  put(byId('chat-state'), chat ? stateOf(chat) + (writes ? ', the visitor is writing' : '') : '');
  // Another chat's messages are no news: the log is made anew, silently.
  if (log.dataset.chat !== chosenId()) {
    log.setAttribute('aria-live', 'off');
    log.replaceChildren();
    log.dataset.chat = chosenId();
  }
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  keep(log, chat?.messages ?? [], makeMessage, fillMessage);
  if (atEnd) log.scrollTop = log.scrollHeight;
  requestAnimationFrame(() => log.setAttribute('aria-live', 'polite'));
  if (!chat) return;
  for (const control of composer.elements) control.disabled = chat.is_ended;
  byId('join').disabled = chat.is_ended || isIn(chat);
  byId('leave').disabled = !isIn(chat);
}

function showAgents() {
  const before = agentId();
  keep(agentSelect, state.agents, () => document.createElement('option'), (option, agent) => {
    option.value = agent.id;
    put(option, agent.public_name + (agent.is_online ? '' : ' (away)'));
  });
  if (!before) agentSelect.value = state.agents.find((one) => one.is_online)?.id ?? state.agents[0].id;
}

function show() {
  showAgents();
  const isOnline = state.rooms.some((room) => room.is_online);
  put(roomButton, isOnline ? 'Room is online' : 'Room is offline');
  roomButton.setAttribute('aria-pressed', String(isOnline));
  const seen = state.chats.filter((chat) => chat.has_visitor_messages);
  seen.sort((a, b) => a.is_ended - b.is_ended || b.created_at.localeCompare(a.created_at));
  byId('no-chats').hidden = seen.length > 0;
  keep(chatList, seen, makeChat, fillChat);
  const waiting = seen.filter((chat) => chat.is_waiting || chat.is_pending).length;
  document.title = `${waiting ? `(${waiting}) ` : ''}Console (simulated giosg)`;
  showChat();
}

let isReading = false;
let isStale = false;

// One reading at a time; what happens meanwhile causes exactly one more.
async function refresh() {
  isStale = true;
  if (isReading) return;
  isReading = true;
  try {
    while (isStale) {
      isStale = false;
      const found = await Promise.all(['/agents', '/rooms', '/chats'].map((path) => ask(path)));
      Object.assign(state, ...found);
      show();
    }
  } catch (error) {
    notice.textContent = `The stand-in cannot be read: ${error.message}`;
  } finally {
    isReading = false;
  }
}

function composing(chat, word) {
  act(chat, 'type', { composing_status: word }).catch(() => {}); // nobody misses it
}

text.addEventListener('input', () => {
  const chat = chosen();
  if (!chat || !isIn(chat)) return;
  clearTimeout(idleTimer);
  idleTimer = setTimeout(() => { typingAt = 0; composing(chat, 'idle'); }, IDLE_AFTER_MS);
  if (Date.now() - typingAt < TYPING_EVERY_MS) return;
  typingAt = Date.now();
  composing(chat, 'composing');
});

text.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  composer.requestSubmit();
});

composer.addEventListener('submit', async (event) => {
  event.preventDefault();
  const [chat, words] = [chosen(), text.value];
  if (!chat || !words.trim()) return;
  clearTimeout(idleTimer);
  typingAt = 0;
  // What was written stays until it is sent: it may fail.
  if (await tell('Sent.', () => act(chat, 'say', { text: words })) && text.value === words) text.value = '';
  text.focus();
});

for (const [id, words] of [['join', 'You joined.'], ['leave', 'You left.'], ['end', 'The chat has ended.']]) {
  byId(id).addEventListener('click', async () => {
    const chat = chosen();
    // Its own button can be pressed no more, and would leave the keyboard nowhere.
    if (chat && await tell(words, () => act(chat, id))) (id === 'join' ? text : byId('chat')).focus();
  });
}

roomButton.addEventListener('click', () => {
  const next = state.rooms.some((room) => room.is_online) ? 'offline' : 'online';
  tell(`The room is ${next}.`, () => Promise.all(
    state.rooms.map((room) => ask(`/rooms/${encodeURIComponent(room.id)}`, { state: next })),
  ));
});

agentSelect.addEventListener('change', show);
addEventListener('hashchange', show);

const changes = new EventSource('/changes');
changes.addEventListener('message', refresh);
changes.addEventListener('open', () => { notice.textContent = 'Connected.'; });
changes.addEventListener('error', () => { notice.textContent = 'The stand-in is away; trying again.'; });

-- Hotkeys in OBS for lookback: save a moment, replay it, and drive a deck.
--
-- Tools > Scripts > +, choose this file, then give keys in Settings > Hotkeys (type "lookback" there).
-- Nothing else is needed: each key is one HTTP request, sent over a socket of the system's own by way
-- of LuaJIT's ffi. OBS calls a script from the thread that draws, so nothing in here ever waits: sockets
-- do not block, and what has to be waited for goes on with the next picture (script_tick).

local obs = obslua
local has_ffi, ffi = pcall(require, "ffi")

-- Where lookback answered when this file was fetched from it.
local SERVER = "127.0.0.1:1688"

-- Seconds after which a server that says nothing is given up.
local PATIENCE = 3

-- Bytes of an answer: those of a server are a few thousand.
local ANSWER_MAX = 256 * 1024

-- What the user has set, in the properties below.
local settings = {}

-- Ends what a key has begun. OBS has put an error() that only writes a line in the place of Lua's, and
-- assert() adds to a text where it was raised, which is nothing to the user.
local function fail(text) assert(false, {says = text}) end

local function words(trouble) return type(trouble) == "table" and trouble.says or tostring(trouble) end

-------------------------------------------------------------------------------------------------
-- Sockets

-- What differs between the systems: numbers out of their headers, and how a socket is closed, made
-- not to block, and asked why. `waits` are the errors that mean "not yet".
local SYSTEMS = {
  Linux = {
    inet6 = 10, sol_socket = 1, so_error = 4, nonblock = 0x800, send_flags = 0x4000, -- MSG_NOSIGNAL
    family = function(number) return string.char(number, 0) end,
    waits = {[11] = true, [107] = true, [115] = true}, -- EAGAIN, ENOTCONN, EINPROGRESS
  },
  OSX = {
    inet6 = 30, sol_socket = 0xffff, so_error = 0x1007, nonblock = 0x4, send_flags = 0,
    so_nosigpipe = 0x1022,
    family = function(number, size) return string.char(size, number) end,
    waits = {[35] = true, [57] = true, [36] = true},
  },
  Windows = {
    inet6 = 23, sol_socket = 0xffff, so_error = 0x1007, send_flags = 0,
    family = function(number) return string.char(number, 0) end,
    waits = {[10035] = true, [10057] = true}, -- WSAEWOULDBLOCK, WSAENOTCONN
  },
}

local AF_INET, SOCK_STREAM = 2, 1

local system, net

local function load_posix()
  ffi.cdef [[
    int socket(int family, int type, int protocol);
    int connect(int socket, const char *address, unsigned size);
    intptr_t send(int socket, const char *bytes, size_t size, int flags);
    intptr_t recv(int socket, char *bytes, size_t size, int flags);
    int getsockopt(int socket, int level, int name, void *value, unsigned *size);
    int setsockopt(int socket, int level, int name, const void *value, unsigned size);
    int inet_pton(int family, const char *text, void *number);
    int fcntl(int socket, int command, ...);
    int close(int socket);
  ]]
  net = ffi.C
  local F_SETFL = 4
  function system.prepare(socket)
    if system.so_nosigpipe then
      net.setsockopt(socket, system.sol_socket, system.so_nosigpipe, ffi.new("int[1]", 1), 4)
    end
    return net.fcntl(socket, F_SETFL, ffi.new("int", system.nonblock)) == 0
  end
  function system.close(socket) net.close(socket) end
  function system.last_error() return ffi.errno() end
end

local function load_windows()
  ffi.cdef [[
    int WSAStartup(unsigned short version, void *data);
    int WSAGetLastError(void);
    uintptr_t socket(int family, int type, int protocol);
    int connect(uintptr_t socket, const char *address, int size);
    int send(uintptr_t socket, const char *bytes, int size, int flags);
    int recv(uintptr_t socket, char *bytes, int size, int flags);
    int getsockopt(uintptr_t socket, int level, int name, void *value, unsigned *size);
    int inet_pton(int family, const char *text, void *number);
    int ioctlsocket(uintptr_t socket, long command, unsigned long *value);
    int closesocket(uintptr_t socket);
  ]]
  net = ffi.load("ws2_32")
  -- Counted by Windows, and undone when the program ends. WSADATA is 408 bytes long.
  if net.WSAStartup(0x0202, ffi.new("char[512]")) ~= 0 then fail("Windows gives no sockets") end
  local FIONBIO = -2147195266 -- 0x8004667e, as a long of 32 bits
  function system.prepare(socket)
    return net.ioctlsocket(socket, FIONBIO, ffi.new("unsigned long[1]", 1)) == 0
  end
  function system.close(socket) net.closesocket(socket) end
  function system.last_error() return net.WSAGetLastError() end
end

local function load_sockets()
  if not has_ffi then fail("this OBS has a Lua without ffi, by which the script reaches lookback") end
  system = SYSTEMS[ffi.os]
  if not system then fail("the script does not know the sockets of this system, " .. ffi.os) end
  if ffi.os == "Windows" then load_windows() else load_posix() end
end

-- A sockaddr_in or sockaddr_in6, and its family.
local function socket_address(host, port)
  if host == "localhost" then host = "127.0.0.1" end
  local is_ip6 = host:find(":", 1, true) ~= nil
  local family = is_ip6 and system.inet6 or AF_INET
  local number = ffi.new("char[16]")
  if net.inet_pton(family, host, number) ~= 1 then
    -- To look up a name is to wait.
    fail("the address of lookback has a host in numbers, such as 127.0.0.1, not " .. host)
  end
  local port_bytes = string.char(math.floor(port / 256), port % 256)
  if is_ip6 then
    local head = system.family(family, 28) .. port_bytes .. ("\0"):rep(4)
    return head .. ffi.string(number, 16) .. ("\0"):rep(4), family
  end
  return system.family(family, 16) .. port_bytes .. ffi.string(number, 4) .. ("\0"):rep(8), family
end

-- Why a connection that was begun did not come about, or 0.
local function pending_error(socket)
  local code, size = ffi.new("int[1]"), ffi.new("unsigned[1]", 4)
  local told = net.getsockopt(socket, system.sol_socket, system.so_error, code, size)
  return told == 0 and code[0] or 0
end

-- Sends a request and gives all that comes back. Between two tries the coroutine rests until the next
-- picture.
local function exchange(socket, address, request)
  local waited = 0
  local function patiently(try, ...)
    while true do
      local count = tonumber(try(socket, ...))
      if count >= 0 then return count end
      local code = system.last_error()
      local failed = pending_error(socket)
      if failed ~= 0 or not system.waits[code] then
        fail("error " .. (failed ~= 0 and failed or code))
      end
      if waited > PATIENCE then fail("not in " .. PATIENCE .. " s") end
      waited = waited + coroutine.yield()
    end
  end
  if net.connect(socket, address, #address) ~= 0 then
    local code = system.last_error()
    if not system.waits[code] then fail("error " .. code) end
  end
  while #request > 0 do
    request = request:sub(patiently(net.send, request, #request, system.send_flags) + 1)
  end
  local parts, size, buffer = {}, 0, ffi.new("char[8192]")
  repeat
    local count = patiently(net.recv, buffer, 8192, 0)
    parts[#parts + 1] = ffi.string(buffer, count)
    size = size + count
  until count == 0 or size > ANSWER_MAX
  return table.concat(parts)
end

-------------------------------------------------------------------------------------------------
-- HTTP

-- One request on a connection of its own. Gives the status and the body of the answer.
local function ask(method, path, body)
  local server = settings.server
  local host, port = server:match("^(.+):(%d+)$")
  port = tonumber(port)
  if not port or port > 65535 then
    fail("write the address of lookback as 127.0.0.1:1688, not " .. server)
  end
  local address, family = socket_address(host:match("^%[(.*)%]$") or host, port)
  local lines = {
    -- Of 1.0, so that the answer comes in one piece and ends with the connection.
    method .. " " .. path .. " HTTP/1.0", "Host: " .. server, "Connection: close",
    "Content-Type: application/json", "Content-Length: " .. #body,
  }
  if settings.token ~= "" then lines[#lines + 1] = "Authorization: Bearer " .. settings.token end
  local request = table.concat(lines, "\r\n") .. "\r\n\r\n" .. body

  local socket = net.socket(family, SOCK_STREAM, 0)
  if ffi.cast("intptr_t", socket) == -1 or not system.prepare(socket) then
    fail("the system gives no socket (error " .. system.last_error() .. ")")
  end
  local done, answer = pcall(exchange, socket, address, request)
  system.close(socket)
  if not done then
    fail("no lookback answers at " .. server .. " (" .. words(answer) .. "): is it running?")
  end
  local status, text = answer:match("^HTTP/%d%.%d (%d%d%d).-\r\n\r\n(.*)$")
  if not status then fail("what answers at " .. server .. " is no lookback") end
  return tonumber(status), text
end

-- Reads members of a JSON object, with OBS's own reader: `read` is given the object, if it is one.
local function from_json(json, read)
  local data = obs.obs_data_create_from_json(json)
  if not data then return nil end
  local value = read(data)
  obs.obs_data_release(data)
  return value
end

-- Looks at each object of an array in an object.
local function each(data, name, look)
  local array = obs.obs_data_get_array(data, name)
  for at = 0, obs.obs_data_array_count(array) - 1 do
    local one = obs.obs_data_array_item(array, at)
    look(one)
    obs.obs_data_release(one)
  end
  obs.obs_data_array_release(array)
end

-- The body of an answer that grants what was asked for.
local function granted(status, body)
  if status >= 200 and status < 300 then return body end
  if status == 401 then
    fail("lookback asks for its token: set it in the script's properties")
  end
  local detail = from_json(body, function(data) return obs.obs_data_get_string(data, "detail") end)
  fail("lookback: " .. (detail or "it answers " .. status))
end

local function post(path, body) return granted(ask("POST", "/api/v1/" .. path, body)) end

-------------------------------------------------------------------------------------------------
-- What the keys do

local function deck(command, body) post("decks/" .. settings.deck .. "/" .. command, body or "{}") end

local function save(seconds)
  from_json(post("replays", ('{"last": "%ds"}'):format(seconds)), function(saved)
    local id, length = obs.obs_data_get_string(saved, "id"), obs.obs_data_get_double(saved, "duration_s")
    obs.script_log(obs.LOG_INFO, ("saved %.1f s as replay %s"):format(length, id))
  end)
end

local function replay()
  local what = ('"last": "%ds", "speed": %g'):format(settings.seconds, settings.speed)
  local body = ('{%s, "deck": "%s"}'):format(what, settings.deck)
  local status, answer = ask("POST", "/api/v1/obs/replay", body)
  if status == 404 or status == 503 then
    -- lookback does not switch scenes in this OBS: the deck plays all the same.
    return deck("load", ('{%s, "play": true}'):format(what))
  end
  from_json(granted(status, answer), function(shown)
    each(shown, "problems", function(problem)
      obs.script_log(obs.LOG_INFO, obs.obs_data_get_string(problem, "hint"))
    end)
  end)
end

-- The state of our deck, in the list of all.
local function deck_state()
  local list = granted(ask("GET", "/api/v1/decks", ""))
  return from_json('{"decks": ' .. list .. '}', function(data)
    local state
    each(data, "decks", function(one)
      if obs.obs_data_get_string(one, "name") == settings.deck then
        state = obs.obs_data_get_string(one, "state")
      end
    end)
    return state
  end)
end

local function play_at(speed)
  deck("speed", ('{"speed": %g}'):format(speed))
  deck("play")
end

local KEYS = {
  {"save_10", "save the last 10 seconds", function() save(10) end},
  {"save_30", "save the last 30 seconds", function() save(30) end},
  {"save_60", "save the last 60 seconds", function() save(60) end},
  {"replay", "instant replay", replay},
  {"play", "play at normal speed", function() play_at(1) end},
  {"half", "play at half speed", function() play_at(0.5) end},
  {"rewind", "rewind", function() play_at(-2) end},
  {"pause", "pause, and play on", function() deck(deck_state() == "playing" and "pause" or "play") end},
  {"step_back", "one picture back", function() deck("step", '{"frames": -1}') end},
  {"step", "one picture further", function() deck("step", '{"frames": 1}') end},
  {"stop", "stop", function() deck("stop") end},
}

-------------------------------------------------------------------------------------------------
-- One after the other, in the order in which keys were pressed

local waiting, running = {}, nil

-- What was complained about last: nothing is said twice until something has worked.
local complaint

local function complain(text)
  waiting = {} -- what was pressed meanwhile would come as a surprise later
  if text == complaint then return end
  complaint = text
  obs.script_log(obs.LOG_WARNING, text) -- brings the Script Log to the front
end

-- Goes on with what was begun, as far as that goes without waiting.
local function work(seconds)
  while true do
    if not running then
      local action = table.remove(waiting, 1)
      if not action then return end
      running = coroutine.create(action)
    end
    local fine, trouble = coroutine.resume(running, seconds)
    if coroutine.status(running) ~= "dead" then return end
    running = nil
    if fine then complaint = nil else complain(words(trouble)) end
  end
end

local function press(action)
  if not system then return complain("no key of lookback works: see above") end
  waiting[#waiting + 1] = action
  work(0)
end

-------------------------------------------------------------------------------------------------
-- What OBS calls

function script_description()
  return "<b>Hotkeys for lookback</b><p>Save a moment, replay it, and drive a deck. Give the keys in " ..
    "<i>Settings &gt; Hotkeys</i>: type <i>lookback</i> there. What goes wrong is in the <i>Script Log</i>.</p>"
end

function script_properties()
  local properties = obs.obs_properties_create()
  obs.obs_properties_add_text(properties, "server", "Address of lookback", obs.OBS_TEXT_DEFAULT)
  obs.obs_properties_add_text(properties, "token", "Its token, if it asks for one", obs.OBS_TEXT_PASSWORD)
  obs.obs_properties_add_int(properties, "seconds", "Instant replay: seconds", 1, 3600, 1)
  obs.obs_properties_add_float(properties, "speed", "Instant replay: speed", 0.05, 16, 0.05)
  obs.obs_properties_add_text(properties, "deck", "Deck", obs.OBS_TEXT_DEFAULT)
  return properties
end

function script_defaults(data)
  obs.obs_data_set_default_string(data, "server", SERVER)
  obs.obs_data_set_default_int(data, "seconds", 8)
  obs.obs_data_set_default_double(data, "speed", 0.5)
  obs.obs_data_set_default_string(data, "deck", "main")
end

function script_update(data)
  -- None of these is more than a word; a line break would end a header.
  local function word(name) return obs.obs_data_get_string(data, name):gsub("[%s%c]", "") end
  settings.server = word("server"):gsub("^http://", ""):gsub("/$", "")
  settings.token = word("token")
  settings.deck = word("deck")
  settings.seconds = obs.obs_data_get_int(data, "seconds")
  settings.speed = obs.obs_data_get_double(data, "speed")
end

function script_load(data)
  local fine, trouble = pcall(load_sockets)
  if not fine then
    system = nil
    complain("the hotkeys cannot work: " .. words(trouble))
  end
  for _, key in ipairs(KEYS) do
    local name, label, action = key[1], key[2], key[3]
    key.id = obs.obs_hotkey_register_frontend("lookback." .. name, "lookback: " .. label, function(pressed)
      if pressed then press(action) end
    end)
    local bindings = obs.obs_data_get_array(data, "lookback." .. name)
    obs.obs_hotkey_load(key.id, bindings)
    obs.obs_data_array_release(bindings)
  end
end

function script_save(data)
  for _, key in ipairs(KEYS) do
    local bindings = obs.obs_hotkey_save(key.id)
    obs.obs_data_set_array(data, "lookback." .. key[1], bindings)
    obs.obs_data_array_release(bindings)
  end
end

function script_tick(seconds) work(seconds) end

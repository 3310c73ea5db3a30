//! A Messages API server on the loopback interface that answers from a [`Script`] and keeps every request.
//!
//! Plain threads and HTTP/1.1 with keep-alive: enough for one client, and nothing that could itself need a test.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::script::{Asker, Script, Turn, Usage, tool_results};

/// A connection that is silent for this long is given up, so that no thread outlives its test for long.
const IDLE: Duration = Duration::from_secs(60);
/// More than any request of the client; a bound, so that a broken length can't take the machine's memory.
const MAX_BODY: usize = 64 << 20;

/// One request that was answered.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) asker: Asker,
    /// What was asked; of all but the last of the main loop only a digest, if the server makes one.
    pub(crate) body: Value,
    pub(crate) served: Usage,
    /// When it had arrived.
    pub(crate) at: Instant,
    /// What the ids of the response have in common: it is `msg_<serial>`, its `i`-th block `toolu_<serial>_<i>`.
    pub(crate) serial: String,
}

impl Request {
    /// The texts of the tool results that this request hands to the model.
    pub(crate) fn tool_results(&self) -> Vec<String> {
        tool_results(&self.body)
    }

    /// How often `needle` stands anywhere in the body, counted in its strings, not in their JSON escapes.
    pub(crate) fn count(&self, needle: &str) -> usize {
        fn walk(value: &Value, needle: &str) -> usize {
            match value {
                Value::String(text) => text.matches(needle).count(),
                Value::Array(items) => items.iter().map(|v| walk(v, needle)).sum(),
                Value::Object(fields) => fields.values().map(|v| walk(v, needle)).sum(),
                _ => 0,
            }
        }
        walk(&self.body, needle)
    }

    /// Names of the tools that the client offers to the model.
    pub(crate) fn tools(&self) -> Vec<&str> {
        self.body["tools"].as_array().into_iter().flatten().filter_map(|t| t["name"].as_str()).collect()
    }
}

struct Shared {
    script: Mutex<Script>,
    requests: Mutex<Vec<Request>>,
    arrived: Condvar,
    closing: AtomicBool,
    digest: Mutex<Option<Digest>>,
    port: u16,
}

/// Makes of a request's body what is kept of it.
type Digest = fn(&Value) -> Value;

/// A panic in one test's thread must not hide what the server saw.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The running server; dropping it closes the port.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Listens on a free port of the loopback interface.
    pub(crate) fn start(script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("could not listen on 127.0.0.1");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            requests: Mutex::new(Vec::new()),
            arrived: Condvar::new(),
            closing: AtomicBool::new(false),
            digest: Mutex::new(None),
            port: address.port(),
        });
        let acceptor = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if acceptor.closing.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&acceptor);
                // An error here is a client that went away, which is what killing it in a test looks like.
                std::thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Self { address, shared }
    }

    /// What `ANTHROPIC_BASE_URL` has to be.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Appends a turn to the main loop's script.
    pub(crate) fn push(&self, turn: Turn) {
        lock(&self.shared.script).push(turn);
    }

    /// Goes on with another script, for one whose turns name what only exists since the client does.
    pub(crate) fn script(&self, script: Script) {
        *lock(&self.shared.script) = script;
    }

    /// Keeps of each request of the main loop what `digest` makes of it, once the next one has come: each holds the whole
    /// conversation, and those of a long one would take gigabytes.
    pub(crate) fn keep(&self, digest: Digest) {
        *lock(&self.shared.digest) = Some(digest);
    }

    /// Main-loop turns that nobody has asked for.
    pub(crate) fn turns_left(&self) -> usize {
        lock(&self.shared.script).left()
    }

    /// The last request of the main loop, which holds the whole conversation.
    pub(crate) fn last_main(&self) -> Option<Request> {
        lock(&self.shared.requests).iter().rfind(|r| r.asker == Asker::Main).cloned()
    }

    /// Every request so far, in the order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// The requests of one asker.
    pub(crate) fn requests_of(&self, asker: &Asker) -> Vec<Request> {
        self.requests().into_iter().filter(|r| r.asker == *asker).collect()
    }

    /// The requests of the main loop.
    pub(crate) fn requests_main(&self) -> Vec<Request> {
        self.requests_of(&Asker::Main)
    }

    /// The requests of the subagent whose queue is called `needle`.
    pub(crate) fn requests_agent(&self, needle: &str) -> Vec<Request> {
        self.requests_of(&Asker::Queue(needle.to_owned()))
    }

    /// The `i`-th request of the main loop.
    pub(crate) fn main(&self, i: usize) -> Request {
        let main = self.requests_main();
        let count = main.len();
        main.into_iter()
            .nth(i)
            .unwrap_or_else(|| panic!("main-loop request {i} never came, only {count} did"))
    }

    /// The tool results that the model saw in main-loop request `i`.
    pub(crate) fn tool_results(&self, i: usize) -> Vec<String> {
        self.main(i).tool_results()
    }

    /// How often `needle` stands in main-loop request `i`.
    pub(crate) fn count_in_body(&self, i: usize, needle: &str) -> usize {
        self.main(i).count(needle)
    }

    /// The tokens of all responses that were sent, side requests included.
    pub(crate) fn served_usage(&self) -> Usage {
        self.requests().iter().map(|r| r.served).sum()
    }

    /// The tokens that one asker's responses claimed.
    pub(crate) fn served_to(&self, asker: &Asker) -> Usage {
        self.requests_of(asker).iter().map(|r| r.served).sum()
    }

    /// Waits until `done` holds for the requests so far; panics after `patience`.
    pub(crate) fn wait_for(&self, what: &str, patience: Duration, done: impl Fn(&[Request]) -> bool) {
        let deadline = Instant::now() + patience;
        let mut requests = lock(&self.shared.requests);
        while !done(&requests) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what} within {patience:?}; {} requests came", requests.len());
            requests = self
                .shared
                .arrived
                .wait_timeout(requests, left)
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees the flag and closes the port.
        drop(TcpStream::connect_timeout(&self.address, Duration::from_secs(1)));
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let mut output = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    while let Some((method, path, body)) = read_request(&mut input)? {
        if shared.closing.load(Ordering::SeqCst) {
            break;
        }
        match (method.as_str(), path.split('?').next().unwrap_or_default()) {
            ("POST", "/v1/messages") => answer(&body, &mut output, shared)?,
            ("POST", "/v1/messages/count_tokens") => {
                respond(
                    &mut output,
                    "200 OK",
                    "application/json",
                    json!({"input_tokens": 100}).to_string().as_bytes(),
                )?;
            }
            ("HEAD", _) => output.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?,
            _ => {
                let error =
                    json!({"type": "error", "error": {"type": "not_found_error", "message": "not scripted"}});
                respond(&mut output, "404 Not Found", "application/json", error.to_string().as_bytes())?;
            }
        }
    }
    Ok(())
}

fn answer(body: &[u8], output: &mut TcpStream, shared: &Shared) -> std::io::Result<()> {
    let at = Instant::now();
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return respond(output, "400 Bad Request", "application/json", b"{}");
    };
    let (asker, turn) = lock(&shared.script).answer(&body);
    let serial = {
        let mut requests = lock(&shared.requests);
        let before = requests.iter_mut().rfind(|r| r.asker == Asker::Main && asker == Asker::Main);
        if let (Some(digest), Some(before)) = (*lock(&shared.digest), before) {
            before.body = digest(&before.body);
        }
        // The port makes ids unique across the servers of one test.
        let serial = format!("{}x{}", shared.port, requests.len() + 1);
        let (body, served) = (body.clone(), turn.usage);
        requests.push(Request { asker, body, served, at, serial: serial.clone() });
        shared.arrived.notify_all();
        serial
    };
    if turn.hang {
        while !shared.closing.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        return Err(std::io::ErrorKind::ConnectionAborted.into());
    }
    std::thread::sleep(turn.delay);
    if body["stream"] == true {
        respond(output, "200 OK", "text/event-stream", turn.events(&serial, &body["model"]).as_bytes())
    } else {
        let message = turn.message(&serial, &body["model"]).to_string();
        respond(output, "200 OK", "application/json", message.as_bytes())
    }
}

fn respond(output: &mut TcpStream, status: &str, kind: &str, body: &[u8]) -> std::io::Result<()> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    output.write_all(&bytes)?;
    output.flush()
}

/// Reads method, path and body of the next request; `None` when the client closed the connection.
fn read_request(input: &mut impl BufRead) -> std::io::Result<Option<(String, String, Vec<u8>)>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut header = String::new();
        if input.read_line(&mut header)? == 0 || header.trim_end().is_empty() {
            break;
        }
        let Some((name, value)) = header.split_once(':') else {
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
            _ => {}
        }
    }
    let body = if chunked { read_chunks(input)? } else { read_exactly(input, length)? };
    Ok(Some((method, path, body)))
}

fn read_exactly(input: &mut impl BufRead, length: usize) -> std::io::Result<Vec<u8>> {
    if length > MAX_BODY {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(input: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        input.read_line(&mut size)?;
        let digits = size.trim().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).map_err(|_| std::io::ErrorKind::InvalidData)?;
        if body.len() + size > MAX_BODY {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        body.extend(read_exactly(input, size)?);
        // The line end after a chunk, and the empty line after the last one.
        let mut end = String::new();
        input.read_line(&mut end)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

package capability

import "strings"

// Kind is the family and verb of a capability, such as "fs.read".
type Kind string

// The kinds, in the order of Kinds.
const (
	FSRead         Kind = "fs.read"
	FSWrite        Kind = "fs.write"
	FSAppend       Kind = "fs.append"
	NetConnect     Kind = "net.connect"
	NetListen      Kind = "net.listen"
	NetStream      Kind = "net.stream"
	DNSLookup      Kind = "dns.lookup"
	ProcessSpawn   Kind = "process.spawn"
	ProcessKill    Kind = "process.kill"
	AudioPlay      Kind = "audio.play"
	AudioRecord    Kind = "audio.record"
	GPUCompute     Kind = "gpu.compute"
	GPUDisplay     Kind = "gpu.display"
	USBDevice      Kind = "usb.device"
	WaylandSurface Kind = "wayland.surface"
	WaylandInput   Kind = "wayland.input"
	A11yTree       Kind = "a11y.tree"
	ClipboardRead  Kind = "clipboard.read"
	ClipboardWrite Kind = "clipboard.write"
	SystemdUnit    Kind = "systemd.unit"
	KernelModule   Kind = "kernel.module"
	AgentSpawn     Kind = "agent.spawn"
	AgentKill      Kind = "agent.kill"
	FleetControl   Kind = "fleet.control"
	SecretRead     Kind = "secret.read"
	SecretUse      Kind = "secret.use"
	InferenceUse   Kind = "inference.use"
	DBQuery        Kind = "db.query"
	StorageRead    Kind = "storage.read"
	StorageWrite   Kind = "storage.write"
	MediaFetch     Kind = "media.fetch"
	UITabOpen      Kind = "ui.tab.open"
	BrowserVisit   Kind = "browser.visit"
	NotebookRun    Kind = "notebook.run"
	ToolCall       Kind = "tool.call"
	HostExecute    Kind = "host.execute"
)

// row is one line of the vocabulary.
type row struct {
	kind    Kind
	scope   func(text string) (scope, *fault) // nil: the kind takes no scope
	want    string                            // what the scope looks like, after "expected"
	path    bool                              // the scope is a path
	bare    bool                              // valid without a scope
	broad   bool                              // wide whatever the scope says
	aliases []alias                           // how other systems spell it
	meaning string                            // for people, without a scope
	phrase  string                            // for people; % is the scope
}

// parsed returns the scope of a text that was canonical before, which parses.
func (r *row) parsed(canonical string) scope {
	s, _ := r.scope(canonical)
	return s
}

// What the scopes look like, in words that follow "expected".
const (
	wantPath = "a path such as ~/Documents or ./data/*.csv"
	wantHost = "a host such as api.github.com, *.example.com, 192.0.2.7 or *, and perhaps :PORT"
	wantFlow = wantHost + ", and perhaps /http:GET:/repos/** for requests"
	wantTree = "a name, names parted by slashes, or *"
)

// The vocabulary. Every property of a kind stands in its row and nowhere else,
// but for the kinds that cover others, in covers.go.
var rows = []row{
	{kind: FSRead, scope: parsePath, path: true, want: wantPath, meaning: "read files", phrase: "read %",
		aliases: []alias{call("FsRead"), dotted("fs.read.")}},
	{kind: FSWrite, scope: parsePath, path: true, want: wantPath, meaning: "read, create, change and delete files", phrase: "read and change %",
		aliases: []alias{call("FsWrite"), dotted("fs.write.")}},
	{kind: FSAppend, scope: parsePath, path: true, want: wantPath, meaning: "create files and append to them", phrase: "create and append to %"},

	{kind: NetConnect, scope: parseFlow, want: wantFlow, meaning: "connect to hosts", phrase: "connect to %",
		aliases: []alias{means("NetworkOutbound", "*"), means("net.access", "*")}},
	{kind: NetListen, scope: parseListen, want: "a port such as 8080", meaning: "accept connections", phrase: "accept connections on port %",
		aliases: []alias{call("NetworkInbound")}},
	{kind: NetStream, scope: parseStream, want: wantFlow, meaning: "keep open streams to hosts", phrase: "keep an open stream to %",
		aliases: []alias{means("NetworkStream", "*")}},
	{kind: DNSLookup, scope: parseLookup, want: "a name and record types such as example.com/TXT,MX", meaning: "look up names", phrase: "look up %"},

	{kind: ProcessSpawn, scope: parsePath, path: true, bare: true, want: "a path such as /usr/bin/git", meaning: "run other programs", phrase: "run %",
		aliases: []alias{means("ProcessSpawn", "")}},
	{kind: ProcessKill, meaning: "signal processes outside its own tree", aliases: []alias{means("ProcessKill", "")}},

	{kind: AudioPlay, meaning: "play sound", aliases: []alias{means("AudioOutput", "")}},
	{kind: AudioRecord, meaning: "record sound", aliases: []alias{means("AudioInput", "")}},
	{kind: GPUCompute, meaning: "compute on the graphics processor", aliases: []alias{means("GpuCompute", "")}},
	{kind: GPUDisplay, meaning: "draw with the graphics processor", aliases: []alias{means("GpuDisplay", "")}},
	{kind: USBDevice, scope: parseUSB, want: "VENDOR:PRODUCT in hexadecimal, such as 046d:c52b", meaning: "use a USB device", phrase: "use the USB device %",
		aliases: []alias{call("UsbDevice")}},

	{kind: WaylandSurface, meaning: "show windows", aliases: []alias{means("WaylandSurface", "")}},
	{kind: WaylandInput, meaning: "receive keyboard and pointer input", aliases: []alias{means("WaylandInput", "")}},
	{kind: A11yTree, broad: true, meaning: "read and drive other windows through the accessibility tree", aliases: []alias{means("AccessibilityTree", "")}},
	{kind: ClipboardRead, meaning: "read the clipboard"},
	{kind: ClipboardWrite, meaning: "write the clipboard"},

	{kind: SystemdUnit, scope: parseUnit, want: "a unit such as nginx.service", meaning: "control a system service", phrase: "control the system service %",
		aliases: []alias{call("SystemdUnit")}},
	{kind: KernelModule, scope: parseModule, broad: true, want: "a module such as wireguard", meaning: "load a kernel module", phrase: "load the kernel module %",
		aliases: []alias{call("KernelModule")}},

	{kind: AgentSpawn, scope: parseToken, bare: true, want: "a pack such as org.example.history", meaning: "start agents", phrase: "start the agent %",
		aliases: []alias{means("AgentSpawn", "")}},
	{kind: AgentKill, meaning: "stop agents", aliases: []alias{means("AgentKill", "")}},
	{kind: FleetControl, broad: true, meaning: "control the fleet", aliases: []alias{means("FleetControl", "")}},

	{kind: SecretRead, scope: parseToken, want: "the name of a secret such as github-token", meaning: "read a secret", phrase: "read the secret %",
		aliases: []alias{call("SecretsRead")}},
	{kind: SecretUse, scope: parseSecretUse, want: "NAME@HOST such as github-token@api.github.com", meaning: "use a secret toward a host, without seeing it", phrase: "use the secret %, without seeing it"},

	{kind: InferenceUse, scope: parseTree, want: "PROVIDER/MODEL such as anthropic/*", meaning: "use a language model", phrase: "use the language model %"},
	{kind: DBQuery, scope: parseTree, want: wantTree, meaning: "query the database", phrase: "query the database %",
		aliases: []alias{dotted("db.query.")}},
	{kind: StorageRead, scope: parseTree, want: wantTree, meaning: "read stored values", phrase: "read the stored value %"},
	{kind: StorageWrite, scope: parseTree, want: wantTree, meaning: "write stored values", phrase: "write the stored value %"},
	{kind: MediaFetch, scope: parseHost, want: wantHost, meaning: "fetch media", phrase: "fetch media from %"},
	{kind: UITabOpen, meaning: "open a tab", aliases: []alias{means("ui.tabs.open", "")}},
	{kind: BrowserVisit, scope: parseHost, want: wantHost, meaning: "visit web sites", phrase: "visit %"},
	{kind: NotebookRun, meaning: "run code in a notebook"},
	{kind: ToolCall, scope: parseTree, want: "SERVER/TOOL such as github/list_issues", meaning: "call tools", phrase: "call the tool %"},

	{kind: HostExecute, broad: true, meaning: "run on the host with no sandbox at all",
		aliases: []alias{means("require_host_execution", "")}},
}

// Kinds returns all kinds, in the order of the vocabulary.
func Kinds() []Kind {
	kinds := make([]Kind, len(rows))
	for i := range rows {
		kinds[i] = rows[i].kind
	}
	return kinds
}

// Meaning returns short words for people, such as "read files", and "" for a
// kind that is not in the vocabulary.
func (k Kind) Meaning() string {
	if r, ok := find(k); ok {
		return r.meaning
	}
	return ""
}

// byKind finds the row of a kind.
var byKind = func() map[Kind]*row {
	m := make(map[Kind]*row, len(rows))
	for i := range rows {
		m[rows[i].kind] = &rows[i]
	}
	return m
}()

func find(k Kind) (*row, bool) {
	r, ok := byKind[k]
	return r, ok
}

// similar returns the kinds that a mistaken one may have meant: those of its
// family, or else one of each family.
func similar(text string) string {
	family, _, _ := strings.Cut(text, ".")
	var same, first []string
	seen := map[string]bool{}
	for _, k := range Kinds() {
		f, _, _ := strings.Cut(string(k), ".")
		if f == family {
			same = append(same, string(k))
		}
		if !seen[f] {
			first = append(first, f+".…")
		}
		seen[f] = true
	}
	if same == nil {
		same = first
	}
	return strings.Join(same, ", ")
}

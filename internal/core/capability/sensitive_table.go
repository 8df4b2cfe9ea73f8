package capability

// secrets is one line of the list of what opens doors elsewhere, or is nobody
// else's business. All spellings are in lower case, and a name of a path may
// hold *, ? and […].
type secrets struct {
	why      string   // what is there, for people
	anywhere []string // below any directory, but for what somebody published: hidden names say what they hold wherever they lie
	home     []string // below a home: words that mean something else elsewhere
	system   []string // absolute
	names    []string // the same, of single files
}

// The list. A place stands for all that is beneath it. It is long rather than
// clever: a place too many costs a question, one too few costs a key.
var secretList = []secrets{
	{why: "SSH keys",
		anywhere: []string{".ssh"},
		names:    []string{"id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "*.ppk"},
		system:   []string{"/etc/ssh/ssh_host_*_key", "/tmp/ssh-*", "/run/user/*/ssh-*", "/run/user/*/openssh_agent", "/run/user/*/gcr"}},
	{why: "GnuPG keys",
		anywhere: []string{".gnupg"},
		system:   []string{"/run/user/*/gnupg"}},
	{why: "private keys or certificates with keys",
		names:  []string{"*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.jks", "*.keystore"},
		system: []string{"/etc/ssl/private", "/etc/pki/tls/private", "/etc/letsencrypt", "/etc/krb5.keytab", "/var/lib/acme"}},
	{why: "a password store",
		anywhere: []string{".password-store", ".1password", ".config/op", ".config/1password", ".config/bitwarden", ".config/bitwarden cli",
			".config/keepassxc", ".cache/keepassxc", ".config/keepass", ".config/enpass", ".lastpass", ".local/share/gopass", ".config/gopass",
			".var/app/org.keepassxc.keepassxc", ".var/app/com.bitwarden.desktop"},
		names: []string{"*.kdbx", "*.kdb", "*.agilekeychain", "*.opvault", ".vault_pass", ".vault-pass", ".htpasswd"}},
	{why: "a keyring",
		anywhere: []string{".local/share/keyrings", ".gnome2/keyrings", ".local/share/kwalletd", ".kde/share/apps/kwallet", ".kde4/share/apps/kwallet", ".pki"},
		system:   []string{"/run/user/*/keyring"}},
	{why: "cloud credentials",
		anywhere: []string{".aws", ".config/gcloud", ".azure", ".config/azure", ".oci", ".boto", ".s3cfg", ".config/doctl", ".config/hcloud", ".config/linode-cli",
			".config/scw", ".bluemix", ".aliyun", ".fly", ".config/flyctl", ".netlify", ".config/netlify", ".local/share/com.vercel.cli", ".config/rclone",
			".config/wrangler", ".wrangler/config", ".terraform.d", ".terraformrc", ".vault-token", ".pulumi/credentials.json", ".databrickscfg", ".snowflake", ".snowsql",
			".dropbox", ".config/heroku", ".kaggle", ".huggingface/token", ".cache/huggingface/token", ".ansible/galaxy_token"},
		names: []string{"client_secret*.json", "service-account*.json", "service_account*.json", "*.tfstate", "*.tfstate.backup"}},
	{why: "credentials of clusters and registries",
		anywhere: []string{".kube", ".minikube", ".docker/config.json", ".docker/contexts", ".dockercfg", ".config/containers/auth.json", ".config/helm", ".config/argocd", ".config/k9s"},
		names:    []string{"kubeconfig"},
		system: []string{"/etc/kubernetes", "/etc/rancher", "/var/lib/kubelet", "/run/secrets", "/var/run/secrets", "/run/containers/*/auth.json",
			"/run/user/*/containers/auth.json"}},
	{why: "control of containers, and with it of the host",
		system: []string{"/run/docker.sock", "/var/run/docker.sock", "/run/podman", "/var/run/podman", "/run/containerd", "/var/run/containerd", "/run/crio", "/run/lxd*",
			"/var/lib/lxd/unix.socket", "/var/lib/docker", "/run/user/*/docker.sock", "/run/user/*/podman", "/run/libvirt", "/var/run/libvirt"}},
	{why: "tokens of code hosts and assistants",
		anywhere: []string{".config/gh", ".config/hub", ".config/glab-cli", ".config/github-copilot", ".copilot", ".claude.json", ".claude/.credentials.json",
			".codex/auth.json", ".gemini/oauth_creds.json", ".gemini/google_accounts.json", ".config/openai", ".config/anthropic", ".cursor/auth.json",
			".local/share/opencode/auth.json", ".config/jj/secrets", ".config/hcp"}},
	{why: "stored passwords of git",
		anywhere: []string{".git-credentials", ".config/git/credentials", ".cache/git/credential"}},
	{why: "tokens of package registries",
		anywhere: []string{".npmrc", ".yarnrc", ".yarnrc.yml", ".config/pnpm/rc", ".pypirc", ".pip/pip.conf", ".config/pip/pip.conf", ".config/pypoetry/auth.toml", ".config/hatch/config.toml",
			".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials", ".local/share/gem/credentials", ".bundle/config", ".composer/auth.json",
			".config/composer/auth.json", ".m2/settings.xml", ".m2/settings-security.xml", ".gradle/gradle.properties", ".nuget/nuget/nuget.config",
			".config/nuget/nuget.config", ".hex/hex.config", ".config/cachix", ".condarc", ".config/uv/credentials", ".local/share/uv/credentials"},
		names: []string{"nuget.config"}},
	{why: "stored logins",
		anywhere: []string{".netrc", "_netrc", ".authinfo", ".pgpass", ".my.cnf", ".mylogin.cnf", ".mongorc.js", ".dbeaver", ".local/share/dbeaverdata", ".smbcredentials", ".vnc",
			".xauthority", ".iceauthority", ".config/freerdp", ".config/remmina", ".local/share/remmina", ".config/filezilla", ".cifs", ".fetchmailrc", ".msmtprc", ".config/msmtp",
			".config/sops", ".config/age", ".config/openvpn", ".local/share/networkmanagement"},
		system: []string{"/etc/shadow*", "/etc/gshadow*", "/etc/security/opasswd", "/etc/sudoers", "/etc/sudoers.d", "/etc/wireguard", "/etc/openvpn", "/etc/netplan",
			"/etc/networkmanager/system-connections", "/etc/wpa_supplicant", "/var/lib/iwd", "/etc/cifs*", "/etc/ppp", "/etc/ipsec.secrets"}},
	{why: "settings with secrets",
		names: []string{".env", ".env.*", "*.env", ".envrc", "secrets.yml", "secrets.yaml", "secrets.json", "secrets.toml", "credentials.json", "wp-config.php"}},
	{why: "a browser profile",
		anywhere: []string{".mozilla", ".config/mozilla", ".cache/mozilla", ".librewolf", ".waterfox", ".zen", ".floorp", ".tor-browser", ".local/share/torbrowser",
			".config/google-chrome*", ".cache/google-chrome*", ".config/chromium*", ".cache/chromium*", ".config/bravesoftware", ".cache/bravesoftware", ".config/microsoft-edge*",
			".cache/microsoft-edge*", ".config/vivaldi*", ".cache/vivaldi*", ".config/opera*", ".cache/opera*", ".config/yandex-browser*", ".config/qutebrowser", ".local/share/qutebrowser",
			".config/epiphany", ".local/share/epiphany", ".config/falkon", ".var/app/org.mozilla.*", ".var/app/com.google.chrome*", ".var/app/org.chromium.*",
			".var/app/com.brave.browser", ".var/app/com.microsoft.edge", ".var/app/io.gitlab.librewolf-community"},
		home: []string{"snap/firefox", "snap/chromium", "snap/brave", "snap/opera*"}},
	{why: "the history of a shell or a tool",
		anywhere: []string{".bash_history*", ".sh_history", ".history", ".zsh_history*", ".zhistory", ".zsh_sessions", ".bash_sessions", ".histfile", ".local/share/fish/fish_history", ".config/fish/fish_history",
			".local/state/*/history", ".local/state/*_history", ".config/nushell/history*", ".local/share/nushell", ".local/share/atuin", ".config/atuin", ".ksh_history", ".tcsh_history", ".python_history", ".ipython/profile_default/history.sqlite",
			".node_repl_history", ".irb_history", ".psql_history", ".mysql_history", ".sqlite_history", ".mongo_history", ".rediscli_history", ".duckdb_history",
			".lesshst", ".viminfo", ".local/share/nvim/shada", ".local/state/nvim/shada", ".local/share/recently-used.xbel", ".local/share/zsh/history", ".local/share/bash/history", ".wget-hsts"}},
	{why: "mail",
		anywhere: []string{".thunderbird", ".cache/thunderbird", ".mail", ".maildir", ".muttrc", ".mutt", ".config/mutt", ".config/neomutt", ".mbsyncrc", ".config/isyncrc", ".offlineimaprc", ".config/offlineimap",
			".evolution", ".config/evolution", ".local/share/evolution", ".cache/evolution", ".local/share/kmail2", ".local/share/local-mail", ".local/share/akonadi", ".config/aerc",
			".config/himalaya", ".config/geary", ".local/share/geary", ".claws-mail", ".sylpheed*", ".notmuch-config", ".var/app/org.mozilla.thunderbird"},
		home:   []string{"mail", "maildir", "mbox", "snap/thunderbird"},
		system: []string{"/var/mail", "/var/spool/mail", "/var/vmail"}},
	{why: "messages",
		anywhere: []string{".config/signal", ".config/slack", ".config/discord*", ".config/element", ".config/microsoft/microsoft teams", ".config/teams*", ".local/share/telegramdesktop", ".config/skypeforlinux",
			".config/whatsapp*", ".config/mattermost", ".config/zulip", ".purple", ".weechat", ".config/weechat", ".local/share/weechat", ".irssi", ".config/hexchat", ".zoom", ".var/app/org.telegram.desktop",
			".var/app/org.signal.signal", ".var/app/com.slack.slack", ".var/app/com.discordapp.discord"},
		home: []string{"snap/slack", "snap/discord", "snap/signal-desktop", "snap/telegram-desktop"}},
	{why: "a wallet",
		anywhere: []string{".bitcoin", ".litecoin", ".dogecoin", ".dash", ".dashcore", ".zcash", ".ethereum", ".electrum*", ".electron-cash", ".bitmonero", ".monero*", ".config/monero*", ".config/solana", ".config/exodus",
			".config/ledger live", ".config/@trezor", ".config/atomic", ".walletwasabi", ".brownie/accounts", ".foundry/keystores", ".near-credentials", ".sui", ".aptos"},
		names: []string{"wallet.dat", "*.wallet"}},
}

// harmless are names that look like those of secrets and hold none.
var harmless = []string{".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults", "example.env", "sample.env", "cacert.pem", "ca-bundle.pem", "ca-certificates.pem", "roots.pem"}

// published are the directories of the system whose files everybody has, and
// shipped those of a package manager: a key in a package is nobody's secret.
var (
	published = []string{"/usr", "/etc/ssl/certs", "/etc/pki/ca-trust", "/etc/ca-certificates", "/nix/store"}
	shipped   = []string{"node_modules", "site-packages", "dist-packages", "pkg/mod", ".cargo/registry", ".rustup"}
)

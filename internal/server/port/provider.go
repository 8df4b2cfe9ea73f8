package port

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"ambit.dev/ambit/internal/provider"
	"ambit.dev/ambit/internal/server"
)

// TryCookieName is that of a browser that was sent to the provider. It is another one
// than a login's: a browser sends it when it comes back from there (SameSite Lax).
const TryCookieName = "__Host-ambit-try"

// Bounds of attempts to log in by a provider.
const (
	tryLasts    = 10 * time.Minute
	maxTries    = 1024
	maxTriesOne = 32 // of one address
)

// A try is a browser that is at the provider now.
type try struct {
	attempt provider.Attempt
	from    string // its address
	ends    time.Time
}

// tries are those that there are, by what the cookie hashes to.
type tries struct {
	now  func() time.Time
	home string // the name of this host that the provider sends browsers back to

	mu sync.Mutex
	of map[hash]try // guarded by mu
}

func newTries(now func() time.Time, home string) *tries {
	return &tries{now: now, home: home, of: map[hash]try{}}
}

// put keeps an attempt, and returns the text of its cookie. Where there are too many,
// of this address or in all, the oldest one is forgotten.
func (t *tries) put(a provider.Attempt, from string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	var oldest, oldestHere hash
	here := 0
	for h, it := range t.of {
		if !now.Before(it.ends) {
			delete(t.of, h)
			continue
		}
		if first, ok := t.of[oldest]; !ok || it.ends.Before(first.ends) {
			oldest = h
		}
		if it.from == from {
			here++
			if first, ok := t.of[oldestHere]; !ok || it.ends.Before(first.ends) {
				oldestHere = h
			}
		}
	}
	switch {
	case here >= maxTriesOne:
		delete(t.of, oldestHere)
	case len(t.of) >= maxTries:
		delete(t.of, oldest)
	}
	text := secret()
	t.of[hashOf(text)] = try{a, from, now.Add(tryLasts)}
	return text
}

// take takes the attempt of a browser out, if the state is its own.
//
// Security: it is good once, whatever comes of it. A page that sends a browser here
// with a state that it made up takes nothing from it.
func (t *tries) take(cookie, state string) (provider.Attempt, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := hashOf(cookie)
	it, ok := t.of[h]
	if !ok || !t.now().Before(it.ends) || !it.attempt.IsState(state) {
		return provider.Attempt{}, false
	}
	delete(t.of, h)
	return it.attempt, true
}

// byProvider is what concerns logins by a provider. Where there is none, or by
// another name of this host than it knows, there is no such path.
func (p *Port) byProvider(w http.ResponseWriter, r *http.Request) {
	if p.cfg.Provider == nil || strings.ToLower(r.Host) != p.tries.home {
		http.NotFound(w, r)
		return
	}
	if !p.limits.strangers.take(addressOf(r)) {
		refuse(w, http.StatusTooManyRequests, "")
		return
	}
	switch {
	case r.URL.Path == provider.CallbackPath:
		only(w, r, http.MethodGet, func() { p.comeBack(w, r) })
	case r.Method == http.MethodPost:
		p.sendThere(w, r)
	default:
		only(w, r, http.MethodGet, func() {
			writeJSON(w, struct {
				Name string `json:"name"`
			}{p.cfg.Provider.Name()})
		})
	}
}

// sendThere begins a login: it says where the browser is to go.
//
// Security: only a page of this host begins one, so that no other one gets a browser
// logged in that its person did not want to be.
func (p *Port) sendThere(w http.ResponseWriter, r *http.Request) {
	if why := p.forgedLogin(r); why != "" {
		refuse(w, http.StatusForbidden, why)
		return
	}
	attempt, address, err := p.cfg.Provider.Begin()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, p.cfg.Provider.Name()+" does not answer; a token works without it")
		return
	}
	http.SetCookie(w, tryCookie(p.tries.put(attempt, addressOf(r)), int(tryLasts/time.Second)))
	writeJSON(w, struct {
		URL string `json:"url"`
	}{address})
}

func tryCookie(text string, lasts int) *http.Cookie {
	return &http.Cookie{Name: TryCookieName, Value: text, Path: "/", MaxAge: lasts, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// comeBack ends a login: the provider sent the browser here.
//
// Security: what the address says anybody may have written. It counts for the browser
// that began this very attempt, which its cookie says and the state names. Nothing of
// it says where the browser goes next: that is this host's own page, always.
func (p *Port) comeBack(w http.ResponseWriter, r *http.Request) {
	from := addressOf(r)
	if !p.limits.failures.left(from) {
		w.Header().Set("Retry-After", "60")
		refuse(w, http.StatusTooManyRequests, "too many attempts")
		return
	}
	who, err := p.proven(r)
	if err != nil {
		p.limits.failures.take(from)
		p.refuseLogin(w, r, err)
		return
	}
	role := server.RoleOf(who.Role)
	c := credential{name: who.Name, role: role, org: who.Org, by: "login " + who.Name}
	if who.Name != who.Subject {
		c.by += " (" + who.Subject + ")"
	}
	c.by = of(c.by, who.Org)
	http.SetCookie(w, tryCookie("", -1))
	p.giveCookie(w, r, login{credential: c, word: newWord(who, p.cfg.Now())})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

var errNotBegun = errors.New("no login of this browser")

// proven is who a browser that comes back is.
func (p *Port) proven(r *http.Request) (provider.Person, error) {
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		return provider.Person{}, errNotBegun // no page shows this
	}
	with, all := r.URL.Query(), r.CookiesNamed(TryCookieName)
	if len(all) != 1 || len(with["state"]) != 1 {
		return provider.Person{}, errNotBegun
	}
	attempt, ok := p.tries.take(all[0].Value, with.Get("state"))
	if !ok {
		return provider.Person{}, errNotBegun
	}
	who, err := p.cfg.Provider.Finish(r.Context(), attempt, with)
	if err == nil && server.RoleOf(who.Role) == server.Nobody {
		err = errNotBegun // the configuration was checked
	}
	return who, err
}

// refuseLogin says why somebody is not let in: to them what is theirs to know, to who
// runs this host all of it.
func (p *Port) refuseLogin(w http.ResponseWriter, r *http.Request, err error) {
	p.cfg.Log.WarnContext(r.Context(), "a login was refused", "from", addressOf(r), "why", err)
	why := "the login failed; who runs this host finds why in what ambit serve says"
	if told, ok := errors.AsType[*provider.Refusal](err); ok {
		why = told.Words
	} else if errors.Is(err, errNotBegun) {
		why = "this browser began no such login, or not within ten minutes; begin again"
	}
	refuse(w, http.StatusForbidden, "You are not signed in: "+why+".\n\nhttps://"+p.tries.home+"/")
}

// A word is what a provider said of somebody, and until when it counts. The zero value
// is nobody's.
type word struct {
	who  provider.Person
	most time.Time // when the login ends, whatever is said later
	next time.Time // when a newer word is asked for
}

func newWord(who provider.Person, now time.Time) word {
	w := word{who: who}
	w.next = now.Add(who.Ends.Sub(now) * 3 / 4)
	return w
}

// ends is when a login ends that goes by a word.
func (w word) ends(most time.Time) time.Time {
	if w.who.Subject == "" || most.Before(w.who.Ends) {
		return most
	}
	return w.who.Ends
}

const (
	renewEvery = 5 * time.Second
	renewAgain = 30 * time.Second // where the provider did not answer
)

// Renew asks the provider for newer words about who is logged in, until ctx ends.
func (p *Port) Renew(ctx context.Context) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.RenewDue(ctx)
		}
	}
}

// RenewDue asks about those whose words are to be renewed now.
//
// Security: a newer word that says less, or something else, ends the login; one that
// does not come lets it end with the word before.
func (p *Port) RenewDue(ctx context.Context) {
	for h, it := range p.logins.due() {
		who, err := p.cfg.Provider.Renew(ctx, it.word.who)
		refused := &provider.Refusal{}
		switch {
		case errors.As(err, &refused), err == nil && (who.Role != it.word.who.Role || who.Org != it.word.who.Org):
			p.logins.end(h)
			p.cfg.Log.InfoContext(ctx, "a login has ended", "by", it.by, "why", err)
		case err != nil:
			p.logins.later(h, renewAgain)
			p.cfg.Log.WarnContext(ctx, "the provider says nothing about a login", "by", it.by, "why", err)
		default:
			p.logins.renew(h, newWord(who, p.cfg.Now()))
		}
	}
}

// due are the logins that a newer word is to be asked for.
func (l *logins) due() map[hash]login {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, all := l.now(), map[hash]login{}
	for h, it := range l.of {
		if it.word.who.Renews() && !now.Before(it.word.next) && now.Before(it.ends) {
			all[h] = it
		}
	}
	return all
}

// later puts off when the provider is asked.
func (l *logins) later(h hash, by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if it, ok := l.of[h]; ok {
		it.word.next = l.now().Add(by)
		l.of[h] = it
	}
}

// renew makes a login go by a newer word. One that has ended meanwhile stays so.
func (l *logins) renew(h hash, newer word) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it, ok := l.of[h]
	if !ok || !l.now().Before(it.ends) {
		return
	}
	newer.most = it.word.most
	it.word, it.ends = newer, newer.ends(newer.most)
	l.of[h] = it
}

// Package web shows how the backups fare to whoever sits at the machine: a
// page at /, the same as JSON at /status.json, and /metrics. Nothing can be
// changed there.
//
// There is no password. On a loopback address every user of this machine can
// read names of projects and the reasons of failures; so it is off unless the
// config asks for it, and another address has to be allowed by name. A web
// site that the owner visits cannot: the answer goes only to who calls the
// machine by a loopback name (a foreign name may have been pointed here to
// get around the browser's rules), and no page may frame it. The page has no
// scripts and loads nothing from elsewhere.
package web

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"coffer/daemon/report"
)

// Options say what is shown.
type Options struct {
	Status  func() report.Status // answers from memory; may be called at once
	Notices func() []string      // what somebody should do or know, or nil
	Metrics http.Handler         // answers /metrics, or nil

	// AnyName answers whatever name the machine is called by, as it must on an
	// address that others can reach. The zero value answers to loopback names.
	AnyName bool
}

// headers of every answer. A browser keeps no copy, and guesses nothing.
var headers = map[string]string{
	"Content-Security-Policy":      "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"Cross-Origin-Resource-Policy": "same-origin",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cache-Control":                "no-store",
}

// Handler returns what answers.
func Handler(o Options) http.Handler {
	p := newPage()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { p.serve(w, o.view()) })
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) { send(w, "text/css; charset=utf-8", style) })
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, _ *http.Request) { o.serveJSON(w) })
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		if !o.AnyName && !isLoopback(r.Host) {
			http.Error(w, "call this machine localhost or 127.0.0.1", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// isLoopback reports whether a Host header names this machine in a way that
// only this machine understands.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// serveJSON sends the status as coffer status --json does, with the notices.
func (o Options) serveJSON(w http.ResponseWriter) {
	answer := struct {
		report.Status
		Notices []string `json:"notices,omitempty"`
	}{o.Status(), o.notices()}
	data, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		http.Error(w, "the status cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	send(w, "application/json", append(data, '\n'))
}

func (o Options) notices() []string {
	if o.Notices == nil {
		return nil
	}
	return o.Notices()
}

// send writes a whole answer. That the reader has gone is no error of ours.
func send(w http.ResponseWriter, kind string, data []byte) {
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(data)
}

// serve renders the page before it sends it: a half page would look whole.
func (p *page) serve(w http.ResponseWriter, v view) {
	var b bytes.Buffer
	if err := p.template.Execute(&b, v); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	send(w, "text/html; charset=utf-8", b.Bytes())
}

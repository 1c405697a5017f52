package config

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Addresses of those who are told, and of the one that the daemon listens at.
// No error repeats an address of the former, because it may hold a secret.

// openServices are the message services that can do without a secret; the
// others have a token somewhere in their address.
var openServices = []string{"ntfy", "smtp", "generic", "generic+http", "generic+https", "mqtt", "mqtts", "signal", "logger"}

// parseServiceURL reads the address of a message service.
func parseServiceURL(s string) (string, error) {
	const file = "put the address into a file that only you can read, and name it with url-file"
	scheme, rest, found := strings.Cut(s, "://")
	if !found || !schemeName.MatchString(scheme) {
		return "", wrong(`write it like "ntfy://ntfy.example.com/backups"`, "it is not the address of a message service")
	}
	if scheme == "http" || scheme == "https" {
		return "", wrong("use ping, or generic+"+scheme+":// for a web hook", "a web address is not one of a message service")
	}
	if !slices.Contains(openServices, scheme) {
		return "", wrong(cmp.Or(didYouMean(scheme, openServices), file), "an address of kind %q may hold a secret", scheme)
	}
	place, query, _ := strings.Cut(rest, "?")
	host, _, _ := strings.Cut(place, "/")
	// A web hook sends what its query has behind an @ as headers.
	if strings.Contains(place, "@") || secretName.MatchString(query) || strings.HasPrefix(scheme, "generic") && strings.Contains(query, "@") {
		return "", wrong(file, "a secret does not belong in an address")
	}
	// A password with a question mark in it ends up here, too.
	if scheme != "logger" && !validHost(host) {
		return "", wrong(`write it like "ntfy://ntfy.example.com/backups"`, "its host is not one")
	}
	return s, nil
}

// parsePing reads the address of a dead man's switch.
func parsePing(s string) (string, error) {
	const like = `write it like "https://pings.example.com/4c1f..."`
	scheme, rest, found := strings.Cut(s, "://")
	host, _, _ := strings.Cut(rest, "/")
	switch {
	case !found || scheme != "http" && scheme != "https":
		return "", wrong(like, "it is not a web address")
	case strings.ContainsAny(s, "@?#"):
		return "", wrong("put the address into a file that only you can read, and name it with ping-file", "a secret does not belong in an address")
	case !validHost(host):
		return "", wrong(like, "its host is not one")
	}
	return strings.TrimRight(s, "/"), nil
}

// parseListen reads host:port of an address to listen at.
func parseListen(s string) (string, error) {
	const like = `write it like "127.0.0.1:9798"`
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", wrong(like, "%.80q has no port", s)
	}
	host, port := s[:i], s[i+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", wrong("from 1 to 65535, or 0 for any that is free", "%.80q has no valid port", s)
	}
	if host == "" || !validHost(host) {
		return "", wrong(like, "%.80q has no valid host", s)
	}
	return s, nil
}

// isLoopback reports whether only this machine can reach host:port.
func isLoopback(address string) bool {
	host := address[:strings.LastIndexByte(address, ':')]
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

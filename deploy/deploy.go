// Package deploy is what puts Coffer on a machine: the unit files of systemd
// and the agent file of launchd, as they lie beside this file.
//
// Each file works as it is where its paths fit. [UserUnit], [SystemUnit] and
// [Agent] give the same text with the paths of one machine filled in.
package deploy

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed systemd/coffer.service
var userUnit string

//go:embed systemd/coffer@.service
var systemUnit string

//go:embed launchd/coffer.daemon.plist
var agent string

// Names of the services, as the service managers know them.
const (
	UnitName   = "coffer.service"
	AgentLabel = "coffer.daemon"
)

// SystemUnitName is the name of the system unit of a user.
func SystemUnitName(user string) string { return "coffer@" + user + ".service" }

// A Service is what one machine fills in. All paths are absolute.
type Service struct {
	Program string   // the coffer that is to run
	Config  string   // "" is the usual place
	Env     []string // NAME=value, never a secret: the files are for all to read

	User     string   // of a system unit only
	Writable []string // of a system unit only: local state, and vaults that are folders

	Errors string // of an agent only: the file that takes what the daemon says before its log is open
}

// UserUnit is the systemd unit of one user.
func UserUnit(s Service) (string, error) {
	lines, err := s.unitLines()
	return fill(userUnit, lines), err
}

// SystemUnit is the systemd unit of the system that works for one user.
func SystemUnit(s Service) (string, error) {
	if s.User == "" || strings.ContainsFunc(s.User, notInName) {
		return "", fmt.Errorf("make a unit file: %q cannot be the name of a user", s.User)
	}
	lines, err := s.unitLines()
	if err != nil {
		return "", err
	}
	var writable []string
	for _, path := range s.Writable {
		writable = append(writable, "-"+path) // it may be missing, as a disk that is not plugged in
	}
	lines["User="] = "User=" + s.User
	lines["ReadWritePaths="], err = unitLine("ReadWritePaths=", writable...)
	return fill(systemUnit, lines), err
}

// unitLines are the lines that both units have, by how they begin.
func (s Service) unitLines() (map[string]string, error) {
	var env string
	for _, setting := range s.Env {
		line, err := unitLine("Environment=", setting)
		if err != nil {
			return nil, err
		}
		env += line + "\n"
	}
	start, err1 := unitLine("ExecStart=", s.command("run")...)
	reload, err2 := unitLine("ExecReload=", s.command("reload")...)
	return map[string]string{"ExecStart=": env + start, "ExecReload=": reload}, errors.Join(err1, err2)
}

// command is how the service manager calls the daemon.
func (s Service) command(verb string) []string {
	words := []string{s.Program, "daemon", verb}
	if s.Config != "" {
		words = append(words, "--config", s.Config)
	}
	return words
}

// unitLine writes words as a unit file has them. It refuses characters that not
// every setting can take, of which a variable's sign is one.
func unitLine(key string, words ...string) (string, error) {
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, "$\\\"'") || strings.ContainsFunc(w, unicode.IsControl) || !utf8.ValidString(w) {
			return "", fmt.Errorf("make a unit file: systemd cannot take the name %q", w)
		}
		words[i] = strings.ReplaceAll(w, "%", "%%")
		if strings.ContainsFunc(w, unicode.IsSpace) {
			words[i] = `"` + words[i] + `"`
		}
	}
	return key + strings.Join(words, " "), nil
}

// fill puts other lines into a file in the place of those that begin so.
func fill(text string, lines map[string]string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		key := line[:strings.IndexByte(line, '=')+1]
		if other, ok := lines[key]; ok {
			line = other + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// notInName reports what no name of a user has, and would be more than a name
// in a unit file.
func notInName(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
}

// Agent is the launchd agent of one user.
func Agent(s Service) (string, error) {
	var args, env strings.Builder
	for _, word := range s.command("run") {
		args.WriteString("\t\t<string>" + xmlText(word) + "</string>\n")
	}
	for _, setting := range s.Env {
		name, value, _ := strings.Cut(setting, "=")
		env.WriteString("\t\t<key>" + xmlText(name) + "</key>\n\t\t<string>" + xmlText(value) + "</string>\n")
	}
	for _, word := range append(s.command("run"), append(s.Env, s.Errors)...) {
		if strings.ContainsFunc(word, unicode.IsControl) || !utf8.ValidString(word) {
			return "", fmt.Errorf("make an agent file: launchd cannot take the name %q", word)
		}
	}
	text := strings.Replace(agent, agentArgs, args.String(), 1)
	text = strings.Replace(text, agentEnv, agentEnv+env.String(), 1)
	return strings.Replace(text, agentErrors, xmlText(s.Errors), 1), nil
}

// What [Agent] finds in its file and puts other lines in the place of.
const (
	agentArgs   = "\t\t<string>/usr/local/bin/coffer</string>\n\t\t<string>daemon</string>\n\t\t<string>run</string>\n"
	agentEnv    = "\t\t<key>COFFER_LAUNCHD</key>\n\t\t<string>1</string>\n"
	agentErrors = "/tmp/coffer.daemon.log"
)

func xmlText(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}

package commit

import (
	"fmt"

	"coffer/vault/trust"
)

// A Kind says what a commit states. In names it is its letter, in JSON its
// word.
type Kind byte

const (
	Snapshot Kind = 's' // the state of a project at one time
	Progress Kind = 'p' // keeps the packs of a long run from being pruned
	Forget   Kind = 'f' // snapshots may go; or, withdrawn, they may not
	Move     Kind = 'm' // where the chunks of bad or repacked packs are now
	Dismiss  Kind = 'd' // names bad objects that need not stop deletion any longer
	Check    Kind = 'c' // a verification was done
	Drill    Kind = 't' // a restore was done to prove that restore works
)

// words are the kinds as JSON has them.
var words = map[Kind]string{
	Snapshot: "snapshot", Progress: "progress", Forget: "forget", Move: "move",
	Dismiss: "dismiss", Check: "check", Drill: "drill",
}

// String returns the kind's word.
func (k Kind) String() string {
	if w, ok := words[k]; ok {
		return w
	}
	return fmt.Sprintf("kind %q", byte(k))
}

// MarshalText returns the kind's word.
func (k Kind) MarshalText() ([]byte, error) {
	w, ok := words[k]
	if !ok {
		return nil, fmt.Errorf("commit kind %q is not known", byte(k))
	}
	return []byte(w), nil
}

// UnmarshalText reads the kind's word.
func (k *Kind) UnmarshalText(b []byte) error {
	for kind, w := range words {
		if w == string(b) {
			*k = kind
			return nil
		}
	}
	return fmt.Errorf("commit kind %.20q is not known", b)
}

// Role returns the role that a device needs to sign c. Whatever can lead to
// something being deleted needs more than the role that every writer has.
func (c *Commit) Role() trust.Role {
	switch {
	case c.Kind == Forget && !c.Withdraw:
		return trust.Forget
	case c.Kind == Move && (c.Repack || c.Body == ""), c.Kind == Dismiss:
		return trust.Maintain
	}
	return trust.Write
}

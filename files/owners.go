package files

import (
	"errors"
	"os/user"
	"strconv"
	"sync"
)

// A nameCache remembers names of users and groups: a tree has few owners and
// many files, and a lookup may go over the network.
type nameCache struct {
	mu     sync.Mutex
	users  map[uint32]string
	groups map[uint32]string
}

// user returns the name of a user, or "" if it has none.
func (c *nameCache) user(uid uint32) (string, error) {
	return c.lookup(&c.users, uid, func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
}

// group returns the name of a group, or "" if it has none.
func (c *nameCache) group(gid uint32) (string, error) {
	return c.lookup(&c.groups, gid, func(id string) (string, error) {
		g, err := user.LookupGroupId(id)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
}

// lookup asks once per number: an error is told once, then the name is "".
func (c *nameCache) lookup(m *map[uint32]string, id uint32, ask func(string) (string, error)) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name, ok := (*m)[id]; ok {
		return name, nil
	}
	name, err := ask(strconv.FormatUint(uint64(id), 10))
	if *m == nil {
		*m = map[uint32]string{}
	}
	(*m)[id] = name
	if unknown(err) {
		err = nil
	}
	return name, err
}

func unknown(err error) bool {
	_, noUser := errors.AsType[user.UnknownUserIdError](err)
	_, noGroup := errors.AsType[user.UnknownGroupIdError](err)
	return noUser || noGroup
}

// An idCache is the way back: numbers that names have on this machine.
type idCache struct {
	mu     sync.Mutex
	users  map[string]int64
	groups map[string]int64
}

// owner returns the number of user name here, or false.
func (c *idCache) user(name string) (uint32, bool) {
	return c.lookup(&c.users, name, func() (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
}

func (c *idCache) group(name string) (uint32, bool) {
	return c.lookup(&c.groups, name, func() (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
}

func (c *idCache) lookup(m *map[string]int64, name string, ask func() (string, error)) (uint32, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := (*m)[name]
	if !ok {
		id = -1
		if text, err := ask(); err == nil {
			if n, err := strconv.ParseUint(text, 10, 32); err == nil {
				id = int64(n)
			}
		}
		if *m == nil {
			*m = map[string]int64{}
		}
		(*m)[name] = id
	}
	return uint32(id), id >= 0
}

package manifest

import "context"

// A cursor goes over a tree and enters a segment only when told to. It stands
// at an entry, or before a segment that is not open.
type cursor struct {
	ctx   context.Context // of one Diff
	get   Get
	stack [][]node // of each open segment above level 0, what is still to come; none empty
	leaf  *leaf    // the open segment of level 0
	entry *Entry   // where it stands; nil: before the first node of the last of stack
	order order
	room  Entry // what entry points to
}

func newCursor(ctx context.Context, root Root, get Get) *cursor {
	return &cursor{ctx: ctx, get: get, stack: [][]node{{root.node()}}}
}

func (c *cursor) done() bool { return c.entry == nil && len(c.stack) == 0 }

// node returns the segment before which the cursor stands.
func (c *cursor) node() *node { return &c.stack[len(c.stack)-1][0] }

func (c *cursor) path() string {
	if c.entry != nil {
		return c.entry.Path
	}
	return c.node().path
}

// level returns the level of the segment before which the cursor stands, -1 if
// it stands at an entry.
func (c *cursor) level() int {
	if c.entry != nil {
		return -1
	}
	return c.node().level
}

// skip passes the segment, unread.
func (c *cursor) skip() {
	c.pop()
	c.order.restart()
}

// pop takes the node off the stack.
func (c *cursor) pop() node {
	last := len(c.stack) - 1
	n := c.stack[last][0]
	c.stack[last] = c.stack[last][1:]
	for last >= 0 && len(c.stack[last]) == 0 {
		c.stack = c.stack[:last]
		last--
	}
	return n
}

// open enters the segment: the cursor then stands at its first entry, or
// before its first segment.
func (c *cursor) open() error {
	n := c.pop()
	data, err := n.fetch(c.ctx, c.get)
	if err != nil {
		return err
	}
	if n.level > 0 {
		below, err := n.children(data)
		if err == nil {
			c.stack = append(c.stack, below)
		}
		return err
	}
	if !c.order.any && n.path != "" {
		c.order.restart()
	}
	if c.leaf, err = n.leaf(data); err != nil {
		return err
	}
	return c.step()
}

// step goes to the next entry, or behind the last of the segment.
func (c *cursor) step() error {
	more, err := c.leaf.next(&c.room, &c.order)
	c.entry = nil
	if more {
		c.entry = &c.room
	}
	return err
}

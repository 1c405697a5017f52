package state

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
)

const projectsFile = "projects.json"

// A Project is a project of this device in this vault. The ID stands on the
// remote, the key (a name in the config, or a path) only here and in bodies.
type Project struct {
	Key Text   `json:"key"`
	ID  string `json:"id"` // 16 hex digits
}

type projectList struct {
	Projects []Project `json:"projects"`
}

// Projects returns the projects in the order in which they came to be. A
// damaged list is made anew from the catalog, where each snapshot says both.
func (d *Dir) Projects() ([]Project, error) {
	v, err := readSealedOr[projectList](d.file(projectsFile))
	if errors.Is(err, ErrDamaged) {
		return d.projectsOfCatalog()
	}
	if err != nil {
		return nil, err
	}
	return v.Projects, nil
}

func (d *Dir) projectsOfCatalog() ([]Project, error) {
	var list []Project
	for s, err := range d.Snapshots() {
		if err != nil {
			return nil, err
		}
		list = bind(list, Project{s.Key, s.Project})
	}
	return list, nil
}

// bind sets what key means. A key has one ID, and an ID one key.
func bind(list []Project, p Project) []Project {
	list = slices.DeleteFunc(list, func(q Project) bool { return q.Key == p.Key || q.ID == p.ID })
	return append(list, p)
}

// Project returns the ID of a project, and gives it a random one if it is new.
func (d *Dir) Project(key string) (id string, err error) {
	err = d.changeProjects(func(list []Project) ([]Project, error) {
		if i := slices.IndexFunc(list, func(p Project) bool { return string(p.Key) == key }); i >= 0 {
			id = list[i].ID
			return list, nil
		}
		b := make([]byte, 8)
		rand.Read(b)
		id = hex.EncodeToString(b)
		return append(list, Project{Text(key), id}), nil
	})
	return id, err
}

// BindProject says that key means the project with that ID: it was renamed, or
// taken over from another device.
func (d *Dir) BindProject(key, id string) error {
	if !isHex(id, 8) {
		return fmt.Errorf("project ID %.40q: want 16 hex digits", id)
	}
	return d.changeProjects(func(list []Project) ([]Project, error) {
		return bind(list, Project{Text(key), id}), nil
	})
}

// RemoveProject forgets a project and its local manifests. What is stored
// stays.
func (d *Dir) RemoveProject(id string) error {
	if !isHex(id, 8) {
		return fmt.Errorf("project ID %.40q: want 16 hex digits", id)
	}
	err := d.changeProjects(func(list []Project) ([]Project, error) {
		return slices.DeleteFunc(list, func(p Project) bool { return p.ID == id }), nil
	})
	if err != nil {
		return err
	}
	return os.RemoveAll(d.file("projects", id))
}

func (d *Dir) changeProjects(fn func([]Project) ([]Project, error)) error {
	return d.change(func() error {
		list, err := d.Projects()
		if err != nil {
			return err
		}
		next, err := fn(slices.Clone(list))
		if err != nil || slices.Equal(list, next) {
			return err
		}
		return writeSealed(d.file(projectsFile), projectList{next})
	})
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// terminal PROGRAM ARGS... runs a program whose standard error stream is a
// terminal of 80 columns, and prints what came to that on its standard output.
func terminal() {
	ctrl, tty, err := openTerminal()
	if err != nil {
		fail("terminal: %v", err)
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, tty
	if err := cmd.Start(); err != nil {
		fail("terminal: %v", err)
	}
	tty.Close()
	_, _ = io.Copy(os.Stdout, ctrl) // ends with EIO when the program has ended
	os.Exit(codeOf(cmd.Wait()))
}

func changeTime(info os.FileInfo) time.Time {
	return time.Unix(info.Sys().(*syscall.Stat_t).Ctim.Unix())
}

func openTerminal() (ctrl, tty *os.File, err error) {
	if ctrl, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	n, err1 := unix.IoctlGetInt(int(ctrl.Fd()), unix.TIOCGPTN)
	err2 := unix.IoctlSetPointerInt(int(ctrl.Fd()), unix.TIOCSPTLCK, 0)
	err3 := unix.IoctlSetWinsize(int(ctrl.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	tty, err4 := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	return ctrl, tty, errors.Join(err1, err2, err3, err4)
}

// disk SIZE FOLDER PROGRAM ARGS... runs a program that finds a disk of that
// size mounted at the folder. Nobody else sees the disk, and it goes with the
// program, however that ends.
func disk() {
	const inside = "COFFER_TEST_DISK"
	if os.Getenv(inside) != "" {
		withDisk(os.Args[1], os.Args[2], os.Args[3:])
	}
	err := tryDisk(inside, 0)
	if errors.Is(err, syscall.EPERM) { // who is not root is so in a world of its own
		err = tryDisk(inside, syscall.CLONE_NEWUSER)
	}
	os.Exit(codeOf(err))
}

func tryDisk(inside string, flags uintptr) error {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = "disk"
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | flags}
	if flags != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return cmd.Run()
}

func withDisk(size, dir string, args []string) {
	err := errors.Join(
		syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""),
		os.MkdirAll(dir, 0o755),
		syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size))
	if err != nil {
		fail("disk: %v", err)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	os.Exit(codeOf(cmd.Run()))
}

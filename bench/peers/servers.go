// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Both peers are this program, started again: by go-plugin, or with the path of a socket.

var handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "CORDON_PEERS_PLUGIN", MagicCookieValue: "1"}

const plainVariable = "CORDON_PEERS_SOCKET"

type grpcPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	server.RegisterService(&service, struct{}{})
	return nil
}

func (grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return client{conn}, nil
}

var plugins = plugin.PluginSet{"peers": grpcPlugin{}}

func newServer(options []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(options, grpc.ForceServerCodec(raw{}))...)
}

// bePeer serves, if this process is a peer.
func bePeer() {
	if os.Getenv(handshake.MagicCookieKey) != "" {
		plugin.Serve(&plugin.ServeConfig{HandshakeConfig: handshake, Plugins: plugins, GRPCServer: newServer,
			Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard})})
		os.Exit(0)
	}
	if path := os.Getenv(plainVariable); path != "" {
		listener, err := net.Listen("unix", path)
		if err == nil {
			server := newServer(nil)
			server.RegisterService(&service, struct{}{})
			go func() { // until the other side is gone
				_, _ = io.Copy(io.Discard, os.Stdin)
				os.Exit(0)
			}()
			err = server.Serve(listener)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func startPlugin() (client, func(), error) {
	self, err := os.Executable()
	if err != nil {
		return client{}, nil, err
	}
	host := plugin.NewClient(&plugin.ClientConfig{HandshakeConfig: handshake, Plugins: plugins, Cmd: exec.Command(self),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard})})
	protocol, err := host.Client()
	if err != nil {
		host.Kill()
		return client{}, nil, err
	}
	dispensed, err := protocol.Dispense("peers")
	if err != nil {
		host.Kill()
		return client{}, nil, err
	}
	return dispensed.(client), host.Kill, nil
}

func startPlain() (client, func(), error) {
	self, err := os.Executable()
	if err != nil {
		return client{}, nil, err
	}
	dir, err := os.MkdirTemp("", "cordon-peers-")
	if err != nil {
		return client{}, nil, err
	}
	path := filepath.Join(dir, "socket")
	command := exec.Command(self)
	command.Env = append(os.Environ(), plainVariable+"="+path)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		os.RemoveAll(dir)
		return client{}, nil, err
	}
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	end := func() {
		if conn != nil {
			conn.Close()
		}
		stdin.Close()
		_ = command.Wait()
		os.RemoveAll(dir)
	}
	if err != nil {
		end()
		return client{}, nil, err
	}
	c := client{conn}
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err = c.add(context.Background(), 1, 2); err == nil {
			return c, end, nil
		}
		conn.ResetConnectBackoff()
		if time.Now().After(until) {
			end()
			return client{}, nil, errors.Join(errors.New("the plain server does not answer"), err)
		}
	}
}

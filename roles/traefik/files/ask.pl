# Asks the Docker engine through the proxy's socket: ask.pl METHOD PATH says the status, and fails where it is not 200.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($method, $path) = @ARGV;
my $socket = IO::Socket::UNIX->new(Peer => '/run/socket-proxy/docker.sock') or die "the socket does not answer: $!\n";
print {$socket} "$method $path HTTP/1.0\r\nHost: docker\r\n\r\n";
my ($status) = (<$socket> // '') =~ m{^HTTP/\S+ (\d+)};
print $status // 'nothing', "\n";
exit(($status // 0) != 200);

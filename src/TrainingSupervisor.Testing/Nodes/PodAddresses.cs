using System.Net;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>
/// Hands every Pod a loopback address of its own, so that each may listen on the same port. Linux answers on all of
/// 127.0.0.0/8; elsewhere all Pods share 127.0.0.1.
/// </summary>
internal sealed class PodAddresses
{
    // Clusters of other processes get other networks, most of the time.
    private readonly int _network = Random.Shared.Next(16, 250);
    private readonly Lock _gate = new();
    private readonly HashSet<int> _used = [];
    private int _next;

    public string Allocate()
    {
        if (!OperatingSystem.IsLinux())
        {
            return IPAddress.Loopback.ToString();
        }

        lock (_gate)
        {
            do
            {
                _next = _next % (254 * 254) + 1;
            }
            while (!_used.Add(_next));

            return $"127.{_network}.{_next / 254}.{_next % 254 + 1}";
        }
    }

    public void Release(string address)
    {
        var parts = address.Split('.').Select(int.Parse).ToArray();
        lock (_gate)
        {
            _used.Remove(parts[2] * 254 + parts[3] - 1);
        }
    }
}

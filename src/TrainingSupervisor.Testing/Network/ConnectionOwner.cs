using System.Globalization;
using System.Net;
using TrainingSupervisor.Testing.Runtime;

namespace TrainingSupervisor.Testing;

/// <summary>Finds the container whose process holds the other end of a local connection, in the tables of /proc.</summary>
internal static class ConnectionOwner
{
    /// <summary>The container's id, or null: no Linux, no container, or gone already.</summary>
    public static string? Find(IPEndPoint remote, IPEndPoint local)
    {
        if (!ProcessTree.IsSupported || Inode(remote, local) is not { } inode)
        {
            return null;
        }

        var wanted = $"socket:[{inode}]";
        string? owner = null;
        ProcessTree.Visit((pid, _, container) =>
        {
            if (owner is null && container() is { } id && Holds(pid, wanted))
            {
                owner = id;
            }
        });
        return owner;
    }

    private static bool Holds(int pid, string socket)
    {
        try
        {
            return Directory.EnumerateFileSystemEntries($"/proc/{pid}/fd").Any(f => new FileInfo(f).LinkTarget == socket);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string? Inode(IPEndPoint remote, IPEndPoint local)
    {
        // A dual-mode socket stands in the table of IPv6, with a mapped address: both end alike.
        var (theirs, ours) = (Text(remote), Text(local));
        foreach (var table in (ReadOnlySpan<string>)["/proc/net/tcp", "/proc/net/tcp6"])
        {
            foreach (var line in File.Exists(table) ? File.ReadLines(table).Skip(1) : [])
            {
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length > 9 && fields[1].EndsWith(theirs, StringComparison.Ordinal) && fields[2].EndsWith(ours, StringComparison.Ordinal))
                {
                    return fields[9];
                }
            }
        }

        return null;
    }

    /// <summary>The kernel prints the address as one number in the machine's order of bytes.</summary>
    private static string Text(IPEndPoint end) => string.Create(CultureInfo.InvariantCulture,
        $"{BitConverter.ToUInt32(end.Address.MapToIPv4().GetAddressBytes()):X8}:{end.Port:X4}");
}

using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>Which images exist. Any name that is not known to be missing does: its commands come from this machine.</summary>
internal sealed class ImageStore
{
    private readonly ConcurrentDictionary<string, string> _directories = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _unavailable = new(StringComparer.Ordinal);

    public void Add(string reference, string directory)
    {
        _directories[reference] = Path.GetFullPath(directory);
        _unavailable.TryRemove(reference, out _);
    }

    public void MakeUnavailable(string reference) => _unavailable[reference] = true;

    public void MakeAvailable(string reference) => _unavailable.TryRemove(reference, out _);

    public string? DirectoryOf(string reference) => _directories.GetValueOrDefault(reference);

    public bool CanPull(string reference) => !_unavailable.ContainsKey(reference) && !IsInvalidHost(reference);

    public static string IdOf(string reference) =>
        "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(reference)));

    /// <summary>The containerd message of a pull that found no host, or no image.</summary>
    public static string PullError(string reference)
    {
        var host = reference.Split('/')[0];
        var why = IsInvalidHost(reference)
            ? $"failed to do request: Head \"https://{host}\": dial tcp: lookup {host}: no such host"
            : $"{reference}: not found";
        return $"failed to pull and unpack image \"{reference}\": failed to resolve reference \"{reference}\": {why}";
    }

    /// <summary>The command's path: first in the image's directory, then on this machine; null when there is none.</summary>
    public string? FindCommand(string image, string command, string? workingDirectory, string? searchPath)
    {
        if (DirectoryOf(image) is { } directory)
        {
            var relative = command.TrimStart('/');
            foreach (var candidate in (ReadOnlySpan<string>)
                [Path.Combine(directory, relative), Path.Combine(directory, "bin", relative), Path.Combine(directory, "usr/bin", relative)])
            {
                if (File.Exists(candidate))
                {
                    return candidate;
                }
            }
        }

        if (command.Contains('/'))
        {
            var path = Path.Combine(workingDirectory ?? "/", command);
            return File.Exists(path) ? path : null;
        }

        return (searchPath ?? "/usr/local/bin:/usr/bin:/bin").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(d => Path.Combine(d, command)).FirstOrDefault(File.Exists);
    }

    // RFC 6761: names under .invalid never resolve.
    private static bool IsInvalidHost(string reference)
    {
        var host = reference.Split('/')[0].Split(':')[0];
        return host.EndsWith(".invalid", StringComparison.OrdinalIgnoreCase);
    }
}

using System.IO.Compression;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Worker;

/// <summary>The roster's JSON out of a release, plain or compressed.</summary>
internal static class RosterBytes
{
    /// <summary>Far more than any gang needs, and no more than a container can bear.</summary>
    internal const int Most = 64 * 1024 * 1024;

    internal static ReadOnlyMemory<byte>? Of(Release release, out string problem)
    {
        problem = "";
        if (release.RosterGzip.IsEmpty)
            return release.Roster.Memory;
        try
        {
            using var gzip = new GZipStream(new MemoryStream(release.RosterGzip.ToByteArray()), CompressionMode.Decompress);
            using var plain = new MemoryStream();
            var buffer = new byte[65536];
            int count;
            while ((count = gzip.Read(buffer)) > 0)
            {
                if (plain.Length + count > Most)
                {
                    problem = $"the roster is larger than {Most} bytes";
                    return null;
                }

                plain.Write(buffer, 0, count);
            }

            return plain.ToArray();
        }
        catch (InvalidDataException e)
        {
            problem = $"the roster cannot be decompressed: {e.Message}";
            return null;
        }
    }
}

using System.IO.Compression;
using Google.Protobuf;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway;

/// <summary>A roster as it goes out: written once and compressed at most once, however many agents get it.</summary>
internal sealed class RosterBytes(Engine.Roster roster)
{
    /// <summary>Below this, compression saves less than one network packet or two.</summary>
    internal const int WorthIt = 4096;

    private readonly byte[] _plain = RosterJson.Write(roster);
    private ByteString? _sent, _compressed;

    public Release For(ReleaseTarget target, int attempt, bool readsGzip)
    {
        var release = new Release { Attempt = attempt, Rank = target.Rank };
        if (readsGzip && _plain.Length >= WorthIt) release.RosterGzip = _compressed ??= Compress();
        else release.Roster = _sent ??= UnsafeByteOperations.UnsafeWrap(_plain);
        return release;
    }

    private ByteString Compress()
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest)) gzip.Write(_plain);
        return UnsafeByteOperations.UnsafeWrap(buffer.ToArray());
    }
}

using LocalTraining.Trainer;

var patience = TimeSpan.FromSeconds(30);
using var request = SaveRequest.Listen();
try
{
    var arguments = Arguments.Parse(args);
    var contract = Contract.Read(Environment.GetEnvironmentVariable);
    var ring = await RingConnector.ConnectAsync(contract.Rank, contract.Addresses, contract.Port, contract.Attempt, patience);
    new Training(arguments, contract, ring, request).Run();
    ring.Dispose();
    contract.Dispose();
    return ExitCodes.Done;
}
catch (ArgumentException e)
{
    return End(ExitCodes.BadInput, e.Message);
}
catch (PeerLostException e)
{
    return End(ExitCodes.PeerLost, e.Message);
}
catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
{
    return End(ExitCodes.Failed, e.Message);
}

// A rank that fails leaves its connections to the kernel, which closes them as the process ends, as in a crash. Were they closed here in good
// order, the peers would learn of it tens of milliseconds before this process is gone, and their "lost peer" could be seen before its cause.
// That is no promise: on a busy machine a peer may still be seen first, and who watches must know 13 from 1.
static int End(int code, string message)
{
    Console.Error.WriteLine($"trainer: {message}");
    return code;
}

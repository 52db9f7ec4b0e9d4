<#
.SYNOPSIS
Installs Octaskly on this Windows device, from a dispatcher on the network or from a release.

.DESCRIPTION
Finds out what the device is, downloads, checks, tries the new program, and only then puts it into its place. It needs no
administrator: the program goes to %LOCALAPPDATA%\Programs\octaskly, and that directory onto the user's Path. Windows
PowerShell 5.1 and PowerShell 7. What it goes by is what install.sh goes by; docs/INSTALL.md says what that keeps out.

.EXAMPLE
& ([scriptblock]::Create((irm http://DISPATCHER:3000/install.ps1))) -Join TOKEN
#>
param(
  # Let it join as a worker with a token of "octaskly invite".
  [string] $Join = '',
  # Keep that worker running as a service.
  [switch] $Service,
  # Do not ask whether to.
  [switch] $NoService,
  # http://HOST:3000 of a dispatcher, the address of a release, or its directory.
  [string] $From = '',
  # Take this version only.
  [string] $Version = '',
  # Install to this directory.
  [string] $Prefix = '',
  # SHA-256 that SHA256SUMS of the dispatcher, or manifest.json of the release, must have.
  [string] $Sums = '',
  # Take a release although its signature cannot be checked.
  [switch] $InsecureNoSignature,
  # Replace a program of a later version, too.
  [switch] $AllowDowngrade,
  # Remove the program, its place on Path and its service.
  [switch] $Uninstall,
  # With -Uninstall: also remove the data: .octaskly in the home directory, and that of services in ProgramData.
  [switch] $Purge,
  # Say each step and do none.
  [switch] $DryRun,
  # Say only what goes wrong.
  [switch] $Quiet
)

# One script block that is called at the end: of a script that was cut off on its way, nothing runs.
$octasklyInstall = {
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# What a program answers is looked at below, whatever PowerShell was told to do about programs that fail.
$PSNativeCommandUseErrorActionPreference = $false

# Written by whoever hands this script out; empty in the repository.
$baked_base = ''
$baked_pin = ''
$baked_key = ''
$baked_version = ''

# What has to be free while the program is put there, MB.
$room = 250
# Bytes that no file of a release has.
$largest = 400000000

function Write-Step([string] $Text) { if (-not $Quiet) { Write-Host $Text } }

# Not Get-FileHash: in Windows PowerShell 5.1 that is a script, which the policy for scripts may keep from running.
function Get-Sha256([string] $Path) {
  $hasher = [System.Security.Cryptography.SHA256]::Create()
  $stream = [System.IO.File]::OpenRead($Path)
  try { return ([BitConverter]::ToString($hasher.ComputeHash($stream)) -replace '-', '').ToLowerInvariant() }
  finally { $stream.Dispose(); $hasher.Dispose() }
}

function Get-Sha256OfBytes([byte[]] $Bytes) {
  $hasher = [System.Security.Cryptography.SHA256]::Create()
  try { return ([BitConverter]::ToString($hasher.ComputeHash($Bytes)) -replace '-', '').ToLowerInvariant() }
  finally { $hasher.Dispose() }
}

function Get-Target {
  # A PowerShell for another processor, which Windows runs by emulation, is told of that one; what the system was installed
  # for stands here.
  $machine = (Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Environment').PROCESSOR_ARCHITECTURE
  switch ($machine) {
    'AMD64' { return 'windows-x64' }
    'ARM64' { return 'windows-arm64' }
    default { throw "There is no octaskly for the processor `"$machine`": there is for AMD64 and ARM64." }
  }
}

# The sums a join token holds, in hexadecimal; '' for a token without. See src/core/invite.ts.
function Get-TokenSums([string] $Token) {
  if ($Token -eq '' -or $Token.StartsWith('octa1')) { return '' }
  $damaged = 'This join token is damaged: something in it is mistyped or missing. Copy the whole line again.'
  if (-not $Token.StartsWith('octa2')) { throw 'This is not a join token that this script knows: use the line of "octaskly invite".' }
  $text = $Token.Substring(5).Replace('-', '+').Replace('_', '/')
  $text = $text + ('=' * ((4 - $text.Length % 4) % 4))
  try { $bytes = [Convert]::FromBase64String($text) } catch { throw $damaged }
  if ($bytes.Length -lt 60) { throw $damaged }
  $body = [byte[]] $bytes[0..($bytes.Length - 5)]
  $check = ([BitConverter]::ToString([byte[]] $bytes[($bytes.Length - 4)..($bytes.Length - 1)]) -replace '-', '').ToLowerInvariant()
  $whole = [byte[]] ([System.Text.Encoding]::ASCII.GetBytes('octa2') + $body)
  if ((Get-Sha256OfBytes $whole).Substring(0, 8) -ne $check) { throw $damaged }
  return ([BitConverter]::ToString([byte[]] $bytes[0..31]) -replace '-', '').ToLowerInvariant()
}

# Whether an address is on this network, which no proxy leads to.
function Test-Near([string] $Url) {
  if ($baked_base -and -not $baked_key -and $Url -eq $baked_base) { return $true }
  if ($Url -notmatch '^https?://(\[|[^/:]+)') { return $false }
  $name = $Matches[1]
  return $name -eq '[' -or $name -notmatch '\.' -or $name -match '\.local$' -or
    $name -match '^(127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\.'
}

# Fetches a file of where the program comes from; $false when it is not there.
function Get-Part([string] $Name, [string] $Path) {
  if ($source -notmatch '^https?://') {
    $local = Join-Path $source $Name
    if (-not (Test-Path -LiteralPath $local)) { return $false }
    Copy-Item -LiteralPath $local -Destination $Path
    return $true
  }
  $url = "$source/$Name"
  if ($pin) {
    # Only curl, which Windows has, knows a server by its key.
    & curl.exe -q -fsSLk --noproxy '*' --pinnedpubkey $pin --max-filesize $largest --connect-timeout 10 --speed-limit 1 --speed-time 60 --retry 20 --retry-delay 3 --retry-max-time 1200 -o $Path $url
    return $LASTEXITCODE -eq 0
  }
  for ($try = 1; ; $try++) {
    try {
      Receive-File $url $Path
      return $true
    } catch {
      $status = Get-HttpStatus $_.Exception
      if ($status -eq 404) { return $false }
      # Others download just now.
      if (($status -ne 429 -and $status -ne 503) -or $try -ge 20) { throw "Cannot fetch ${url}: $($_.Exception.GetBaseException().Message) Nothing was changed." }
      Start-Sleep -Seconds 3
    }
  }
}

# Not Invoke-WebRequest, which takes whatever it is sent, and waits for the rest of it for ever.
function Receive-File([string] $Url, [string] $Path) {
  $request = [System.Net.WebRequest]::Create($Url)
  if ($near) { $request.Proxy = $null }
  $request.UserAgent = 'octaskly'
  $request.Timeout = 30000
  $response = $request.GetResponse()
  try {
    $from = $response.GetResponseStream()
    $to = [System.IO.File]::Create($Path)
    try {
      $buffer = New-Object byte[] 1048576
      $left = $largest
      while ($true) {
        $piece = $from.ReadAsync($buffer, 0, $buffer.Length)
        if (-not $piece.Wait(60000)) { throw 'nothing more came for a minute.' }
        $count = $piece.Result
        if ($count -eq 0) { break }
        $left -= $count
        if ($left -lt 0) { throw "it is larger than any octaskly ($largest bytes)." }
        $to.Write($buffer, 0, $count)
      }
    } finally { $to.Dispose() }
  } finally { $response.Close() }
}

# What a server answered in place of a file; 0 when it did not.
function Get-HttpStatus([Exception] $Trouble) {
  for ($cause = $Trouble; $cause; $cause = $cause.InnerException) {
    if ($cause -is [System.Net.WebException] -and $cause.Response) { return [int] $cause.Response.StatusCode }
  }
  return 0
}

function Assert-Sum([string] $Path, [string] $Sum, [string] $What) {
  if ((Get-Sha256 $Path) -ne $Sum) { throw "REFUSED: $What is not what its SHA-256 says. It was cut short or changed on its way. Nothing was changed." }
}

# Lines of a SHA-256 and a target, and nothing else: not the page of a network that one has to log into.
function Test-List([string] $Path) {
  $lines = @(Get-Content -LiteralPath $Path)
  return $lines.Count -gt 0 -and @($lines | Where-Object { $_ -notmatch '^[0-9a-f]{64}  [a-z0-9-]+$' }).Count -eq 0
}

function Get-FromDispatcher([string] $Work, [string] $Target, [string] $TokenSums) {
  $list = Join-Path $Work 'SHA256SUMS'
  $expected = $TokenSums
  if ($Sums) { $expected = $Sums.ToLowerInvariant() }
  if ($expected -and (Get-Sha256 $list) -ne $expected) {
    throw "REFUSED: what $source offers is not what the join token was made for. Either somebody between here and there has changed it, or the dispatcher was updated since: ask for a new line (octaskly invite). Nothing was changed."
  }
  # Else whoever can write to where a release lies, or stands before it, would get round its signature as a dispatcher.
  if (-not $expected -and $baked_key -and -not $InsecureNoSignature) {
    throw "REFUSED: $source answers as a dispatcher, not as a signed release, and nothing says what its program should be. Use the whole line of `"octaskly invite`" (-Join TOKEN), or give -Sums with the SHA-256 of $source/download/SHA256SUMS if you know it from elsewhere, or -InsecureNoSignature to go by $source alone. Nothing was changed."
  }
  if (-not $expected) { Write-Step 'Without a join token nothing but this network says that the program is the right one.' }
  $sum = ''
  foreach ($line in Get-Content -LiteralPath $list) {
    if ($line -match '^([0-9a-f]{64})  (\S+)$' -and $Matches[2] -eq $Target) { $sum = $Matches[1] }
  }
  if (-not $sum) { throw "The dispatcher at $source has no program for $Target. It has others when it is started with --dist, the directory of a release." }
  Write-Step "Downloading octaskly for $Target from $source"
  $file = Join-Path $Work 'octaskly.exe'
  if (-not (Get-Part "download/$Target" $file)) { throw "Cannot fetch $source/download/$Target. Nothing was changed." }
  Assert-Sum $file $sum "the program from $source"
}

# Verification by Ed25519 (RFC 8032, 5.1.7), which neither Windows nor .NET has. It knows nothing secret, so how long it takes
# may depend on what it is given. C# 5, the last that the compiler of Windows PowerShell 5.1 knows.
$ed25519 = @'
using System;
using System.Numerics;
using System.Security.Cryptography;

public static class OctasklyEd25519
{
    static readonly BigInteger P = BigInteger.Pow(2, 255) - 19;
    static readonly BigInteger L = BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493");
    static readonly BigInteger D = Mod(-121665 * BigInteger.ModPow(121666, P - 2, P));
    static readonly BigInteger I = BigInteger.ModPow(2, (P - 1) / 4, P);

    /* Whether [s]B = r + [h]key. */
    public static bool Verify(byte[] key, byte[] message, byte[] signature)
    {
        if (key.Length != 32 || signature.Length != 64) return false;
        BigInteger r = Number(signature, 0, 32), s = Number(signature, 32, 32), k = Number(key, 0, 32);
        byte[] hashed = new byte[64 + message.Length];
        Array.Copy(signature, 0, hashed, 0, 32);
        Array.Copy(key, 0, hashed, 32, 32);
        Array.Copy(message, 0, hashed, 64, message.Length);
        BigInteger h;
        using (SHA512 sha = SHA512.Create()) h = Number(sha.ComputeHash(hashed), 0, 64) % L;
        BigInteger by = Mod(4 * BigInteger.ModPow(5, P - 2, P)), bx = FindX(by, 0);
        BigInteger ky = k % BigInteger.Pow(2, 255), kx = FindX(ky, (int)(k >> 255));
        if (s >= L || kx < 0) return false;
        BigInteger[] none = Point(0, 1), b = Point(bx, by), minusKey = Point(Mod(-kx), ky);
        BigInteger[][] points = { none, b, minusKey, Add(b, minusKey) };
        BigInteger[] sum = none;
        for (int bit = 252; bit >= 0; bit--)
        {
            sum = Add(sum, sum);
            sum = Add(sum, points[(int)((s >> bit) % 2 + 2 * ((h >> bit) % 2))]);
        }
        BigInteger z = BigInteger.ModPow(sum[2], P - 2, P), x = Mod(sum[0] * z), y = Mod(sum[1] * z);
        return y + ((x % 2) << 255) == r;
    }

    /* Of bytes, the first the lowest. */
    static BigInteger Number(byte[] bytes, int at, int count)
    {
        byte[] unsigned = new byte[count + 1];
        Array.Copy(bytes, at, unsigned, 0, count);
        return new BigInteger(unsigned);
    }

    static BigInteger Mod(BigInteger a)
    {
        BigInteger rest = a % P;
        return rest.Sign < 0 ? rest + P : rest;
    }

    static BigInteger[] Point(BigInteger x, BigInteger y)
    {
        return new BigInteger[] { x, y, 1, Mod(x * y) };
    }

    /* The x, with this lowest bit, of the point with that y; -1 where there is none (5.1.3). */
    static BigInteger FindX(BigInteger y, int lowest)
    {
        if (y >= P) return -1;
        BigInteger u = Mod(y * y - 1), v = Mod(D * y * y + 1);
        BigInteger x = Mod(u * v * v * v * BigInteger.ModPow(Mod(u * BigInteger.Pow(v, 7)), (P - 5) / 8, P));
        if (Mod(v * x * x - u) != 0) x = Mod(x * I);
        if (Mod(v * x * x - u) != 0) return -1;
        if (x % 2 == lowest) return x;
        return x == 0 ? -1 : P - x;
    }

    /* Any two (5.1.4). */
    static BigInteger[] Add(BigInteger[] p, BigInteger[] q)
    {
        BigInteger a = Mod((p[1] - p[0]) * (q[1] - q[0])), b = Mod((p[1] + p[0]) * (q[1] + q[0]));
        BigInteger c = Mod(2 * p[3] * q[3] * D), d = Mod(2 * p[2] * q[2]);
        BigInteger e = b - a, f = d - c, g = d + c, h = b + a;
        return new BigInteger[] { Mod(e * f), Mod(g * h), Mod(f * g), Mod(e * h) };
    }
}
'@

function Add-Ed25519 {
  if ('OctasklyEd25519' -as [type]) { return }
  # PowerShell 7 references all of .NET unless it is told what.
  if ($PSVersionTable.PSVersion.Major -ge 6) { Add-Type -TypeDefinition $ed25519 }
  else { Add-Type -TypeDefinition $ed25519 -ReferencedAssemblies 'System.Numerics' }
}

# Why it is not known whether the manifest is the one of whoever holds the key; '' when it is.
function Get-Doubt([string] $Work, [byte[]] $Manifest) {
  if (-not $baked_key) { return 'this script was had without a key' }
  $path = Join-Path $Work 'manifest.json.sig'
  if (-not (Get-Part 'manifest.json.sig' $path)) { return 'there is no signature' }
  try { Add-Ed25519 } catch { return "PowerShell may not compile here ($($_.Exception.Message))" }
  try { $signature = [Convert]::FromBase64String([System.IO.File]::ReadAllText($path)) } catch { $signature = [byte[]] @() }
  # Before the 32 bytes of an Ed25519 key come 12 that say that it is one (RFC 8410).
  $key = [byte[]] ([Convert]::FromBase64String($baked_key)[12..43])
  if (-not [OctasklyEd25519]::Verify($key, $Manifest, $signature)) {
    throw "REFUSED: the release at $source is not signed by the key of this script. Nothing was changed."
  }
  return ''
}

function Test-Manifest([string] $Path) {
  try { return [bool] ([System.IO.File]::ReadAllText($Path) | ConvertFrom-Json).version } catch { return $false }
}

function Get-FromRelease([string] $Work, [string] $Target) {
  $bytes = [System.IO.File]::ReadAllBytes((Join-Path $Work 'manifest.json'))
  if ($Sums) {
    if ((Get-Sha256OfBytes $bytes) -ne $Sums.ToLowerInvariant()) { throw "REFUSED: manifest.json of $source is not the one that -Sums names. Nothing was changed." }
  } else {
    $doubt = Get-Doubt $Work $bytes
    if ($doubt -and $source -match '^https?://' -and -not $InsecureNoSignature) {
      throw "REFUSED: the signature of this release cannot be checked: $doubt. Give -Sums with the SHA-256 of its manifest.json if you know it from elsewhere, or -InsecureNoSignature to go by $source alone."
    }
    if ($doubt) { Write-Step "The signature of the release is not checked: $doubt." }
  }
  $manifest = [System.Text.Encoding]::UTF8.GetString($bytes) | ConvertFrom-Json
  if ($Version -and $manifest.version -ne $Version) { throw "The release at $source is $($manifest.version), and $Version was asked for." }
  $name = "octaskly-$($manifest.version)-$Target"
  $entry = $manifest.files | Where-Object { $_.file -eq "$name.zip" } | Select-Object -First 1
  if (-not $entry) { throw "The release $($manifest.version) at $source has nothing for $Target." }
  Write-Step "Fetching octaskly $($manifest.version) for $Target from $source"
  $archive = Join-Path $Work 'archive.zip'
  if (-not (Get-Part "$name.zip" $archive)) { throw "Cannot fetch $name.zip. Nothing was changed." }
  Assert-Sum $archive $entry.sha256 "$name.zip"
  # Not Expand-Archive, which is a script as Get-FileHash is.
  Add-Type -AssemblyName System.IO.Compression.FileSystem
  $zip = [System.IO.Compression.ZipFile]::OpenRead($archive)
  try {
    $packed = $zip.GetEntry("$name/octaskly.exe")
    if (-not $packed) { throw "$name.zip holds no $name/octaskly.exe. Nothing was changed." }
    [System.IO.Compression.ZipFileExtensions]::ExtractToFile($packed, (Join-Path $Work 'octaskly.exe'))
  } finally { $zip.Dispose() }
}

# The new file has to run here before it replaces one that does.
function Test-Program([string] $Path) {
  try { $answer = & $Path version } catch { throw "The new program does not run here: $($_.Exception.Message) Nothing was changed." }
  if ($LASTEXITCODE -ne 0) { throw "The new program does not run here (status $LASTEXITCODE). Nothing was changed." }
  if ("$answer" -notlike 'octaskly *') { throw 'The new program does not say that it is octaskly. Nothing was changed.' }
  if ($Version -and "$answer" -ne "octaskly $Version") { throw "This is $answer, and $Version was asked for. Nothing was changed." }
  return "$answer"
}

# Whether version A comes before B, by Semantic Versioning 2.0.0, section 11.
function Test-Before([string] $A, [string] $B) {
  $x = @($A -split '[.-]'); $y = @($B -split '[.-]')
  for ($i = 0; $i -lt [Math]::Max($x.Count, $y.Count); $i++) {
    # What comes before a release has a tail.
    if ($i -eq 3 -and ($x.Count -eq 3 -or $y.Count -eq 3)) { return $x.Count -gt $y.Count }
    if ($i -ge $x.Count -or $i -ge $y.Count) { return $x.Count -lt $y.Count }
    if ($x[$i] -ceq $y[$i]) { continue }
    $isNumber = $x[$i] -match '^\d+$'
    if ($isNumber -ne ($y[$i] -match '^\d+$')) { return $isNumber }
    if ($isNumber) { return [long] $x[$i] -lt [long] $y[$i] }
    return [string]::CompareOrdinal($x[$i], $y[$i]) -lt 0
  }
  return $false
}

# Somebody may show an old release with a known hole.
function Assert-NoDowngrade([string] $Answer, [string] $Program) {
  if ($AllowDowngrade -or -not (Test-Path -LiteralPath $Program)) { return }
  try { $present = "$(& $Program version)" } catch { return }
  if ($present -notlike 'octaskly *' -or -not (Test-Before $Answer.Substring(9) $present.Substring(9))) { return }
  throw "This is $Answer, and $Program is $present, which is later: -AllowDowngrade replaces it all the same. Nothing was changed."
}

function Assert-Room([string] $Directory) {
  # A share of another machine has no drive to ask.
  try { $free = (New-Object System.IO.DriveInfo ([System.IO.Path]::GetPathRoot($Directory))).AvailableFreeSpace } catch { return }
  $megabytes = [Math]::Floor($free / 1048576)
  if ($megabytes -lt $room) {
    throw "There is too little space left in ${Directory}: $megabytes MB are free, and octaskly needs $room MB while it is installed. Nothing was changed."
  }
}

# A program that runs cannot be replaced, but it can be given another name; the next run removes that.
function Set-Program([string] $New, [string] $Program) {
  if (Test-Path -LiteralPath $Program) {
    $former = "$Program.$PID.old"
    Move-Item -LiteralPath $Program -Destination $former
    try { Move-Item -LiteralPath $New -Destination $Program } catch { Move-Item -LiteralPath $former -Destination $Program; throw }
    Remove-Item -LiteralPath $former -Force -ErrorAction SilentlyContinue
  } else {
    Move-Item -LiteralPath $New -Destination $Program
  }
}

function Set-UserPath([string] $Directory, [bool] $Wanted) {
  $key = [Microsoft.Win32.Registry]::CurrentUser.CreateSubKey('Environment')
  try {
    # Not by [Environment], which would write what stands there as %NAME% with its value of now.
    $now = @("$($key.GetValue('Path', '', 'DoNotExpandEnvironmentNames'))" -split ';' | Where-Object { $_ -ne '' })
    if (($now -contains $Directory) -eq $Wanted) { return }
    $next = @($now | Where-Object { $_ -ne $Directory })
    if ($Wanted) { $next = $next + $Directory }
    $key.SetValue('Path', ($next -join ';'), 'ExpandString')
  } finally { $key.Dispose() }
  # Removes a variable that is not there, by which what runs is told that variables have changed.
  [Environment]::SetEnvironmentVariable('OCTASKLY_INSTALL', $null, 'User')
  if ($Wanted) { $env:Path = "$env:Path;$Directory"; Write-Step "$Directory is on your Path now; terminals opened from now on know it." }
}

function Remove-Leftovers([string] $Directory) {
  Get-ChildItem -LiteralPath $Directory -Force -ErrorAction SilentlyContinue |
    Where-Object { $_.Name -match '^(\.octaskly-install|octaskly\.exe)\.(\d{1,9})(\.old)?$' } |
    Where-Object { -not (Get-Process -Id ([int] ($_.Name -replace '\D', '')) -ErrorAction SilentlyContinue) } |
    Remove-Item -Recurse -Force -ErrorAction SilentlyContinue
}

# What "octaskly update" keeps, and what one that was ended had begun.
function Remove-Updates([string] $Directory) {
  Get-ChildItem -LiteralPath $Directory -Force -ErrorAction SilentlyContinue |
    Where-Object { $_.Name -match '^(octaskly\.previous(\.exe)?|\.octaskly\.\d+\.(new|spare).*)$' } |
    Remove-Item -Force -ErrorAction SilentlyContinue
}

# What is removed of the data: nothing that a link leads to, and nothing of a service that stays.
function Remove-Data([string] $Data) {
  $services = Join-Path $Data 'services'
  foreach ($name in 'octaskly', 'octaskly-worker') {
    $machine = Join-Path $env:ProgramData $name
    if (-not (Test-Path -LiteralPath $machine)) { continue }
    $texts = @(Get-ChildItem -LiteralPath $services -ErrorAction SilentlyContinue | ForEach-Object { [System.IO.File]::ReadAllText($_.FullName) })
    if (@($texts | Where-Object { $_.Contains("$machine<") -or $_.Contains("$machine ") -or $_.Contains("$machine`"") }).Count -gt 0) {
      Write-Step "$machine stays: another service uses it."
      continue
    }
    try { Remove-Item -LiteralPath $machine -Recurse -Force; Write-Step "Removed $machine" }
    catch { throw "$machine stays: $($_.Exception.Message) As an administrator: Remove-Item -Recurse -Force '$machine'" }
  }
  if (Test-Path -LiteralPath $Data) { Remove-Item -LiteralPath $Data -Recurse -Force; Write-Step "Removed $Data" }
}

# What keeps starting a program must not be left behind without it.
function Remove-Services([string] $Program) {
  # Windows PowerShell 5.1 takes each line of standard error for an error that would end this.
  $ErrorActionPreference = 'Continue'
  $said = (& $Program service uninstall --all 2>&1 | ForEach-Object { "$_" }) -join "`n"
  if ($LASTEXITCODE -ne 0) { Write-Warning "Cannot remove the services that run it: $said" }
  elseif ($said) { Write-Step $said }
}

# Asks whoever sits there.
function Test-ServiceWanted {
  if ($Service) { return $true }
  if ($NoService -or $Quiet -or -not [Environment]::UserInteractive -or [Console]::IsInputRedirected) { return $false }
  # PowerShell may have been started with -NonInteractive, and then asks nobody.
  try { return (Read-Host 'Keep the worker running as a service, also after a restart? [y/N]') -match '^[Yy]' } catch { return $false }
}

function Uninstall-Octaskly([string] $Directory, [string] $Program) {
  $data = Join-Path $HOME '.octaskly'
  if ($DryRun) {
    Write-Step "Would remove the service, $Program, and $Directory from Path"
    if ($Purge) { Write-Step "Would remove $data, and data of services in $env:ProgramData" }
    return
  }
  if ($Purge -and (Test-Path -LiteralPath $data) -and ((Get-Item -LiteralPath $data -Force).Attributes -band [System.IO.FileAttributes]::ReparsePoint)) {
    throw "$data is a link, and where it leads others may keep things too: nothing was removed. Look what is in there, remove it and the link, and do this again."
  }
  if (Test-Path -LiteralPath $Program) {
    Remove-Services $Program
    $running = @(Get-Process -Name octaskly -ErrorAction SilentlyContinue | Where-Object { $_.Path -eq $Program })
    if ($running.Count -gt 0) {
      $ids = @($running | ForEach-Object { $_.Id }) -join ', '
      throw "$Program runs as process ${ids}: stop it (Stop-Process -Id $ids), and do this again. Its services are removed, and nothing else."
    }
    # Of a process of somebody else it is not told what it runs.
    try { Remove-Item -LiteralPath $Program -Force }
    catch { throw "$Program stays: $($_.Exception.Message) If somebody else runs it, stop that, and do this again. Its services are removed, and nothing else." }
    Write-Step "Removed $Program"
  } else {
    Write-Step "There is no $Program."
  }
  Set-UserPath $Directory $false
  Remove-Leftovers $Directory
  Remove-Updates $Directory
  if ($Purge) { Remove-Data $data }
  elseif (Test-Path -LiteralPath $data) { Write-Step "The data stays in ${data}: secret, credentials, tasks. Remove it with -Uninstall -Purge." }
}

function Install-Octaskly([string] $Directory, [string] $Program) {
  $source = $From.TrimEnd('/')
  $pin = ''
  if (-not $From) { $source = $baked_base; $pin = $baked_pin }
  if (-not $source -and $PSScriptRoot -and (Test-Path -LiteralPath (Join-Path $PSScriptRoot 'manifest.json'))) { $source = $PSScriptRoot }
  if (-not $source) { throw 'Say where to install from: -From http://HOST:3000 of a dispatcher, or a release.' }
  if ($source -notmatch '^https?://' -and -not (Test-Path -LiteralPath $source)) {
    if ($source -notmatch '^[A-Za-z0-9._-]+(:\d+)?$') { throw "-From `"$source`" is neither an address nor a directory." }
    $source = "http://$source"
  }
  if ($baked_version -and -not $Version) { $Version = $baked_version }
  $token = $Join -replace '\s', ''
  $target = Get-Target
  $tokenSums = Get-TokenSums $token
  if ($DryRun) {
    Write-Step "This device: $target"
    Write-Step "Would download from $source, check it, start it once, and put it in place: $Program"
    Write-Step "Would put $Directory on your Path"
    if ($Service) { Write-Step 'Would install the service: octaskly service install worker' }
    elseif ($token) { Write-Step 'Would join: octaskly worker --join TOKEN' }
    return
  }
  [void] (New-Item -ItemType Directory -Force -Path $Directory)
  Remove-Leftovers $Directory
  Assert-Room $Directory
  $work = Join-Path $Directory ".octaskly-install.$PID"
  [void] (New-Item -ItemType Directory -Force -Path $work)
  $near = Test-Near $source
  try {
    $listPath, $manifestPath = (Join-Path $work 'SHA256SUMS'), (Join-Path $work 'manifest.json')
    $answered = Get-Part 'download/SHA256SUMS' $listPath
    if ($answered -and (Test-List $listPath)) { Get-FromDispatcher $work $target $tokenSums }
    elseif ((Get-Part 'manifest.json' $manifestPath) -and (Test-Manifest $manifestPath)) { Get-FromRelease $work $target }
    elseif ($answered) { throw "What came from $source/download/SHA256SUMS is no list of sums. A web page, of a network that wants you to log in first? Nothing was changed." }
    else { throw "There is neither a dispatcher nor a release at $source." }
    $answer = Test-Program (Join-Path $work 'octaskly.exe')
    Assert-NoDowngrade $answer $Program
    Set-Program (Join-Path $work 'octaskly.exe') $Program
  } finally {
    Remove-Item -LiteralPath $work -Recurse -Force -ErrorAction SilentlyContinue
  }
  Write-Step "Installed ${answer}: $Program"
  Set-UserPath $Directory $true
  if ($Service -or ($token -and (Test-ServiceWanted))) {
    if ($token) { & $Program service install worker --join $token } else { & $Program service install worker }
    if ($LASTEXITCODE -ne 0) { throw "octaskly is installed, and its service is not (status $LASTEXITCODE)." }
  } elseif ($token) {
    Write-Step 'Joining. Ctrl-C ends the worker; "octaskly worker" starts it again.'
    & $Program worker --join $token
  }
}

# Windows PowerShell 5.1 may still offer TLS 1.0 alone.
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
if ([Environment]::OSVersion.Platform -ne 'Win32NT') { throw 'This is not Windows: run install.sh instead.' }
if ($Purge -and -not $Uninstall) { throw '-Purge goes with -Uninstall.' }
if ($Join -and $Uninstall) { throw '-Join and -Uninstall contradict each other.' }
if ($Sums -and $Sums -notmatch '^[0-9A-Fa-f]{64}$') { throw '-Sums is 64 digits 0-9a-f.' }
# Whole, as .NET and Path need it: both know nothing of where PowerShell is.
if ($Prefix) { $directory = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Prefix) }
else { $directory = Join-Path $env:LOCALAPPDATA 'Programs\octaskly' }
$program = Join-Path $directory 'octaskly.exe'
if ($Uninstall) { Uninstall-Octaskly $directory $program } else { Install-Octaskly $directory $program }
}

# In a scope of its own: no function or preference of it stays in the session that read it in.
& $octasklyInstall
